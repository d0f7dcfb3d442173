package toolchain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

// cache keeps compiled objects in a folder, one file a key. A file is a SHA-256 of the
// payload followed by the payload, so that a truncated or damaged one is a miss. The
// cache is an aid: no failure of it fails a compilation.
type cache struct {
	dir string
	max int64

	mu   sync.Mutex
	size int64 // bytes in the folder, -1 before the first count
}

// newCache returns nil when there is no folder to use.
func newCache(dir string, max int64) *cache {
	if dir == "" {
		d, err := cacheSub(os.Getenv, "objects")
		if err != nil {
			return nil
		}
		dir = d
	}
	if max <= 0 {
		max = defaultMaxCache
	}
	return &cache{dir: dir, max: max, size: -1}
}

// key hashes everything the output depends on. Fields are written with their lengths,
// so that no two requests share a byte string.
func (c *Compiler) key(r *Request) string {
	h := sha256.New()
	for _, s := range []string{c.id, r.triple(), r.CPU, r.Features, r.Passes, r.Name} {
		fmt.Fprintf(h, "%d:%s,", len(s), s)
	}
	fmt.Fprintf(h, "%d,%d,%d:", r.Opt, r.Kind, len(r.Text))
	h.Write(r.Text)
	return hex.EncodeToString(h.Sum(nil))
}

const cacheExt = ".vobj"

func (c *cache) path(key string) string { return filepath.Join(c.dir, key+cacheExt) }

func (c *cache) get(key string) ([]byte, bool) {
	data, err := os.ReadFile(c.path(key))
	if err != nil {
		return nil, false
	}
	if len(data) < sha256.Size {
		os.Remove(c.path(key))
		return nil, false
	}
	sum, body := data[:sha256.Size], data[sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		os.Remove(c.path(key))
		return nil, false
	}
	now := time.Now()
	os.Chtimes(c.path(key), now, now) // eviction takes the least recently used
	return body, true
}

func (c *cache) put(key string, body []byte) {
	if os.MkdirAll(c.dir, 0o755) != nil {
		return
	}
	sum := sha256.Sum256(body)
	n, err := writeAtomically(c.path(key), sum[:], body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size >= 0 {
		c.size += n
	}
	if c.size < 0 || c.size > c.max {
		c.size = c.evict()
	}
}

// writeAtomically writes the parts to a temporary file beside path and renames it.
func writeAtomically(path string, parts ...[]byte) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	for _, p := range parts {
		m, werr := f.Write(p)
		n += int64(m)
		if err == nil {
			err = werr
		}
	}
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return n, err
}

// staleTemp is the age at which a temporary file is taken for a dead process's.
const staleTemp = time.Hour

// evict removes the least recently used objects until the folder is a tenth below its
// bound, and returns the bytes left.
func (c *cache) evict() int64 {
	type item struct {
		path string
		size int64
		used time.Time
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return -1
	}
	var items []item
	var total int64
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		path := filepath.Join(c.dir, e.Name())
		if filepath.Ext(path) != cacheExt {
			if time.Since(st.ModTime()) > staleTemp {
				os.Remove(path)
			}
			continue
		}
		items = append(items, item{path, st.Size(), st.ModTime()})
		total += st.Size()
	}
	sort.Slice(items, func(i, j int) bool { return items[i].used.Before(items[j].used) })
	if total <= c.max {
		return total
	}
	for _, it := range items {
		if total <= c.max-c.max/10 {
			break
		}
		if os.Remove(it.path) == nil {
			total -= it.size
		}
	}
	return total
}
