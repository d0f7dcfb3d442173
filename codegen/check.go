package codegen

import (
	"fmt"
	"strconv"
	"strings"

	"vitc/ir"
)

// A plan that was read from a file is checked before anything runs: whatever it says, every
// access of its steps lies inside the buffer it names.

// The most that a plan may ask for, so that no sum of checked numbers overflows.
const (
	maxBytes  = 1 << 46 // of one buffer, or of scratch
	maxTurns  = 1 << 32
	maxTasks  = 1 << 32
	maxSteps  = 1 << 20
	maxDepth  = 16
	maxParams = 1 << 16
)

// Check reports the first thing of the plan that cannot be executed; kernels are the names
// of the functions that the bundle's objects define.
func (p *Plan) Check(kernels map[string]bool) error {
	if err := checkMesh(p.Mesh); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range p.Funcs {
		f := &p.Funcs[i]
		if seen[f.Name] {
			return fmt.Errorf("two functions named %q", f.Name)
		}
		seen[f.Name] = true
		if err := f.check(p.Mesh, kernels); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
	}
	return nil
}

func (f *FuncPlan) check(mesh ir.Mesh, kernels map[string]bool) error {
	if f.Arena < 0 || f.Arena > maxBytes {
		return fmt.Errorf("an arena of %d bytes", f.Arena)
	}
	if len(f.Args) > maxParams || len(f.Results) > maxParams {
		return fmt.Errorf("%d arguments and %d results", len(f.Args), len(f.Results))
	}
	c := &checker{mesh: mesh, sizes: map[string]int{"arena": f.Arena}, kernels: kernels}
	if err := c.ports(f); err != nil {
		return err
	}
	return c.steps(f.Steps)
}

type checker struct {
	mesh    ir.Mesh
	sizes   map[string]int // bytes of each space
	kernels map[string]bool
	loops   []int // lengths of the enclosing loops
	flights []int // tickets of collectives under way
	count   int
}

func (c *checker) ports(f *FuncPlan) error {
	for i, a := range f.Args {
		n, err := c.portBytes(a.Type)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
		if a.In != 0 {
			return fmt.Errorf("argument %d lies in another", i)
		}
		c.sizes["arg"+strconv.Itoa(i)] = n
	}
	lent := map[int]bool{}
	for i, r := range f.Results {
		n, err := c.portBytes(r.Type)
		if err != nil {
			return fmt.Errorf("result %d: %w", i, err)
		}
		if r.In == 0 {
			c.sizes["res"+strconv.Itoa(i)] = n
			continue
		}
		if r.In < 0 || r.In > len(f.Args) || lent[r.In] {
			return fmt.Errorf("result %d lies in argument %d of %d, or shares it", i, r.In-1, len(f.Args))
		}
		lent[r.In] = true
		if a := f.Args[r.In-1]; !a.Type.Same(r.Type) || a.Name != r.Name || a.Role != r.Role {
			return fmt.Errorf("result %d (%s %s) lies in argument %d (%s %s)", i, r.Name, r.Type, r.In-1, a.Name, a.Type)
		}
	}
	return nil
}

// typeBytes is Type.Bytes of an untrusted type.
func typeBytes(t ir.Type) (int, error) {
	n := t.DType.Bytes()
	if n == 0 || t.DType == ir.Real {
		return 0, fmt.Errorf("dtype %v has no place in memory", t.DType)
	}
	for _, d := range t.Dims {
		if d.Size < 1 || d.Size > maxBytes/n {
			return 0, fmt.Errorf("a dim of %d", d.Size)
		}
		n *= d.Size
	}
	return n, nil
}

func (c *checker) steps(steps []Step) error {
	from := len(c.flights)
	for i := range steps {
		if c.count++; c.count > maxSteps {
			return fmt.Errorf("more than %d steps", maxSteps)
		}
		if err := c.step(&steps[i], from); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	if left := c.flights[from:]; len(left) > 0 {
		return fmt.Errorf("no step waits for tickets %v", left)
	}
	return nil
}

// step checks one step of a list, before which from tickets were under way.
func (c *checker) step(s *Step, from int) error {
	switch *s { // is it, but for one field, empty?
	case Step{Run: s.Run}:
		if s.Run != nil {
			return c.run(s.Run)
		}
	case Step{Loop: s.Loop}:
		return c.loop(s.Loop)
	case Step{Copy: s.Copy}:
		return c.copy(s.Copy)
	case Step{Collective: s.Collective}:
		return c.collective(s.Collective)
	case Step{Wait: s.Wait}:
		return c.wait(s.Wait, from)
	}
	return fmt.Errorf("is none of run, loop, copy, collective and wait, or several")
}

func (c *checker) run(r *Run) error {
	if !c.kernels[r.Kernel] {
		return fmt.Errorf("there is no kernel %q in the bundle", r.Kernel)
	}
	if r.Tasks < 1 || r.Tasks > maxTasks || r.Scratch < 0 || r.Scratch > maxBytes {
		return fmt.Errorf("kernel %s: %d tasks with %d bytes of scratch", r.Kernel, r.Tasks, r.Scratch)
	}
	for i, a := range r.Args {
		if err := c.addr(a); err != nil {
			return fmt.Errorf("kernel %s: argument %d: %w", r.Kernel, i, err)
		}
	}
	return nil
}

func (c *checker) loop(l *Loop) error {
	if l.Length < 1 || l.Length > maxTurns {
		return fmt.Errorf("a loop of %d turns", l.Length)
	}
	if len(c.loops) == maxDepth {
		return fmt.Errorf("loops nested deeper than %d", maxDepth)
	}
	c.loops = append(c.loops, l.Length)
	err := c.steps(l.Body)
	c.loops = c.loops[:len(c.loops)-1]
	return err
}

func (c *checker) copy(k *Copy) error {
	if k.Dst.Bytes != k.Src.Bytes {
		return fmt.Errorf("copy of %d bytes to %d", k.Src.Bytes, k.Dst.Bytes)
	}
	for _, a := range []Addr{k.Dst, k.Src} {
		if err := c.addr(a); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	return nil
}

// addr checks the place in every turn of the enclosing loops.
func (c *checker) addr(a Addr) error {
	size, ok := c.sizes[a.Space]
	if !ok {
		return fmt.Errorf("there is no space %q; spaces: arena, argN, resN", a.Space)
	}
	if a.Bytes < 0 || a.Bytes > maxBytes || a.Offset < -maxBytes || a.Offset > maxBytes {
		return fmt.Errorf("%d bytes at %d of %s", a.Bytes, a.Offset, a.Space)
	}
	if len(a.Steps) > len(c.loops) {
		return fmt.Errorf("%d steps in %d loops", len(a.Steps), len(c.loops))
	}
	lo, hi := a.Offset, a.Offset+a.Bytes
	for i, s := range a.Steps {
		turns := c.loops[i] - 1
		if turns > 0 && (s > maxBytes/turns || s < -maxBytes/turns) {
			return fmt.Errorf("a step of %d bytes", s)
		}
		lo, hi = lo+min(0, s*turns), hi+max(0, s*turns)
	}
	if lo < 0 || hi > size {
		return fmt.Errorf("bytes %d to %d of %s, which has %d", lo, hi, a.Space, size)
	}
	return nil
}

// SpaceIndex numbers a function's spaces: the arena, then arguments, then results.
func (f *FuncPlan) SpaceIndex(space string) (int, error) {
	for _, k := range []struct {
		prefix      string
		first, size int
	}{{"arg", 1, len(f.Args)}, {"res", 1 + len(f.Args), len(f.Results)}} {
		if rest, ok := strings.CutPrefix(space, k.prefix); ok {
			if n, err := strconv.Atoi(rest); err == nil && n >= 0 && n < k.size {
				return k.first + n, nil
			}
		}
	}
	if space == "arena" {
		return 0, nil
	}
	return 0, fmt.Errorf("there is no space %q; spaces: arena, argN, resN", space)
}
