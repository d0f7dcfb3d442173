package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vitc/runtime/fault"
)

// pictureTypes are the endings of pictures, in lower case.
var pictureTypes = []string{".png", ".jpg", ".jpeg"}

// IsPicture reports whether a file's name ends as a picture's does.
func IsPicture(name string) bool {
	return slices.Contains(pictureTypes, strings.ToLower(filepath.Ext(name)))
}

// folderSource reads a folder of pictures, one sub-folder a class.
type folderSource struct {
	root     string
	names    []string // of the classes
	channels int
	pictures []picture
}

type picture struct {
	file  string // inside the class's folder
	class int
}

// openFolder lists the pictures: classes by the bytes of their names, and so the pictures
// of each. Hidden files are passed over, anything else that is no picture is an error: it
// might be a class in a format that would silently be missing.
func openFolder(b bound, f finder, channels int, cache int64) (source, error) {
	root, err := f.folder(b.text("path"))
	if err != nil {
		return nil, err
	}
	s := &folderSource{root: root, channels: channels}
	if s.names, err = visible(root); err != nil {
		return nil, err
	}
	if len(s.names) == 0 {
		return nil, &fault.Error{Where: root, Msg: "an empty folder", Expected: "one sub-folder a class"}
	}
	for class := range s.names {
		if err := s.list(class); err != nil {
			return nil, err
		}
	}
	if cache < 0 {
		return s, nil
	}
	return newCached(s, cache), nil
}

// visible lists the names in a folder that do not begin with a point, sorted.
func visible(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &fault.Error{Where: dir, Msg: "cannot list the folder", Err: fault.Cause(err)}
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// list appends the pictures of a class.
func (s *folderSource) list(class int) error {
	dir := filepath.Join(s.root, s.names[class])
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &fault.Error{Where: dir, Msg: "not a folder", Err: err, Expected: "one sub-folder a class, the pictures in them"}
	}
	names, err := visible(dir)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return &fault.Error{Where: dir, Msg: "a class without pictures", Fix: "remove the folder or fill it"}
	}
	for _, name := range names {
		if !IsPicture(name) {
			return &fault.Error{Where: filepath.Join(dir, name), Msg: "not a picture", Expected: "one of " + strings.Join(pictureTypes, " "),
				Fix: "convert it, remove it, or hide it by a point before its name"}
		}
		s.pictures = append(s.pictures, picture{name, class})
	}
	return nil
}

func (s *folderSource) len() int          { return len(s.pictures) }
func (s *folderSource) label(i int) int   { return s.pictures[i].class }
func (s *folderSource) labelled() bool    { return true }
func (s *folderSource) classes() []string { return s.names }

func (s *folderSource) path(i int) string {
	p := s.pictures[i]
	return filepath.Join(s.root, s.names[p.class], p.file)
}

func (s *folderSource) where(i int) string { return fmt.Sprintf("%s: example %d", s.path(i), i) }

func (s *folderSource) image(i int) (*Image, error) { return readPicture(s.path(i), s.channels) }
