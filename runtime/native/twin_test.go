package native_test

import (
	"testing"

	"vitc/codegen/llvm/cpu"
)

// A kernel's code is made once, from the first fusion that has its text. That must not go into
// the code of the second: here the first binds one value twice.
func TestEqualKernelsOfOtherOperands(t *testing.T) {
	for name, body := range map[string]string{
		"loop": `  %t: f32[n:7] = tanh %a
  %y: f32[n:7] = sub %t, %b
`,
		"product of batches": `  %y: f32[n:7] = dot %a, %b [n,n->n]
`,
	} {
		port := ` (%a: f32[n:7] input="a", %b: f32[n:7] input="b") -> (f32[n:7] output="y") {` + "\n" + body + "  yield %y\n}\n"
		t.Run(name, func(t *testing.T) {
			m := scheduled(t, "ir built\nfunc @e"+port[1:]+"func @f"+port[1:])
			first := m.Func("e").Body.Ops[0]
			first.In[1] = first.In[0]
			eachLevel(t, func(t *testing.T, isa cpu.Level) {
				compare(t, m, "e", isa, 1, 1e-5)
				compare(t, m, "f", isa, 1, 1e-5)
			})
		})
	}
}
