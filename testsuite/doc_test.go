package testsuite

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"vitc/driver"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/runtime/train"
)

// TestLibraryIsDocumented: every declaration of the library has a comment, and a signature
// without its body.
func TestLibraryIsDocumented(t *testing.T) {
	for _, f := range library(t) {
		if f.Doc == "" {
			t.Errorf("%s has no comment at its head", f.Name)
		}
		for _, x := range f.Declarations {
			if strings.TrimSpace(x.Doc) == "" {
				t.Errorf("%s.%s has no comment", f.Name, x.Name)
			}
			if x.Signature == "" || strings.Contains(x.Signature, "\n}") {
				t.Errorf("%s.%s has the signature %q", f.Name, x.Name, x.Signature)
			}
		}
	}
}

func library(t *testing.T) []*lang.Documentation {
	t.Helper()
	files, err := driver.Library()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sourced finds what a comment says of its origin: a paper on arXiv, or authors and a year.
var sourced = regexp.MustCompile(`arXiv\s+\d{4}\.\d{4,5}|[A-Z]\w+(,| et al\.,)\s+(19|20)\d\d`)

// TestLibraryExamples checks every example of the library's comments. Every module has one and names
// its paper, and so do the main functions.
func TestLibraryExamples(t *testing.T) {
	main := strings.Fields(`optim.cosine optim.rsqrt loss.softmax_xent loss.sigmoid_xent loss.distil loss.contrastive
		augment.mixup augment.rand_augment`)
	plain := strings.Fields(`nn.Linear metrics.Mean optim.Fixed`) // of no paper
	for _, f := range library(t) {
		checkExamples(t, f.Name, f.Doc)
		for _, x := range f.Declarations {
			name := f.Name + "." + x.Name
			n := checkExamples(t, name, x.Doc)
			if x.Kind != "module" && !slices.Contains(main, name) {
				continue
			}
			if main = slices.DeleteFunc(main, func(s string) bool { return s == name }); n == 0 {
				t.Errorf("%s shows no use", name)
			}
			if !slices.Contains(plain, name) && !sourced.MatchString(x.Doc) {
				t.Errorf("%s names no paper", name)
			}
		}
	}
	if len(main) > 0 {
		t.Errorf("the library has no %s", strings.Join(main, ", "))
	}
}

// checkExamples checks the examples of a comment, its runs of indented lines, and counts them.
func checkExamples(t *testing.T, name, doc string) int {
	n := 0
	for _, paragraph := range strings.Split(doc, "\n\n") {
		if !strings.HasPrefix(paragraph, "    ") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(strings.TrimPrefix(paragraph, "    "), "\n    ", "\n")
			checkProgram(t, programOf(text))
		})
	}
	return n
}

// checkProgram demands that a program is right, and lowers its train blocks.
func checkProgram(t *testing.T, text string) {
	t.Helper()
	u, list := lang.Load("example.vit", []byte(text), nil)
	if list.Errors() == 0 {
		list = lang.Check(u)
	}
	for _, name := range u.Trains() {
		if list.Errors() > 0 {
			break
		}
		p, errs := lang.Lower(u, name, lang.Options{})
		if list = append(list, errs...); p != nil {
			list = append(list, train.CheckData(p)...)
		}
	}
	if list.Errors() > 0 {
		var b strings.Builder
		_ = list.Render(&b, func(string) []byte { return []byte(text) })
		t.Errorf("%s\n%s", b.String(), text)
	}
}

var (
	declares   = regexp.MustCompile(`^(model|module|data|train|eval|fn|use) `)
	setting    = regexp.MustCompile(`^(optimizer|rate|stages|start)\b`)
	keptInside = regexp.MustCompile(`^(let \w+ = (\w+\.)?[A-Z]|param |state |axis )`)
)

// programOf completes an example: declarations are a program, a setting stands in a train or
// data block, and anything else in a module of a few axes.
func programOf(example string) string {
	const head = "edition 1\nuse vit, nn, loss, optim, augment, metrics, weights\n\n"
	if declares.MatchString(example) {
		return head + example + "\n"
	}
	if key := setting.FindString(example); key != "" {
		settings := map[string]string{"optimizer": "optimizer: optim.AdamW", "rate": "rate: optim.flat(peak: 1e-3)", "stages": "stages: []", "start": ""}
		settings[key] = example
		return head + strings.NewReplacer("OPTIMIZER", settings["optimizer"], "RATE", settings["rate"], "STAGES", settings["stages"], "START", settings["start"]).Replace(trainExample)
	}
	var members, body []string
	for _, line := range strings.Split(example, "\n") {
		if keptInside.MatchString(line) {
			members = append(members, line)
		} else {
			body = append(body, line)
		}
	}
	if len(body) == 0 {
		body = []string{"x"}
	}
	return head + strings.NewReplacer("MEMBERS", strings.Join(members, "\n"), "BODY", strings.Join(body, "\n")).Replace(moduleExample)
}

const trainExample = `data pictures -> (image: u8[row: 32, col: 32, channel: 3], label: i32[]) {
  source: folder(path: "pictures")
  STAGES
}

train example {
  let net = vit.ViT(image: 32, patch: 8, width: 16, depth: 2, heads: 2, mlp: 32, classes: 10)
  data: pictures
  batch: 8
  steps: 100
  OPTIMIZER
  RATE
  START
  fn (image: u8[batch, row, col, channel], label: i32[batch]) {
    mean(loss.softmax_xent(net(augment.pixels(image)), real(one_hot(label, net.classes)), over: classes))
  }
}
`

const moduleExample = `module Example(seq: axis, width: axis, heads: axis, mlp: axis, embed: axis, classes: axis, row: axis, col: axis, channel: axis) {
  MEMBERS
  fn (x: [batch, seq, width], image: u8[batch, row, col, channel], logits: [batch, classes], label: i32[batch]) {
    BODY
  }
}

model example = Example(seq: 4, width: 16, heads: 2, mlp: 32, embed: 16, classes: 10, row: 8, col: 8, channel: 3)
`

// TestExamplesCanFail: the check of examples finds mistakes of each kind.
func TestExamplesCanFail(t *testing.T) {
	for _, bad := range []string{
		"model m = vit.ViT(...vit.Ti, image: 225, classes: 10)", "rate: optim.cosine(warmup: 10)", "optimizer: optim.AdamV",
		"stages: [augment.shift(by: -1)]", "dot(x, logits, over: mlp)", "let up = nn.Linear(width, mlp)\nup(logits)",
	} {
		text := programOf(bad)
		u, list := lang.Load("example.vit", []byte(text), nil)
		if list.Errors() == 0 {
			list = append(diag.List{}, lang.Check(u)...)
		}
		if p, _ := lang.Lower(u, "example", lang.Options{}); p != nil {
			list = append(list, train.CheckData(p)...)
		}
		if list.Errors() == 0 {
			t.Errorf("%q passes", bad)
		}
	}
}
