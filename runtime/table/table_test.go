package table_test

import (
	"testing"

	"vitc/runtime/table"
)

func TestTable(t *testing.T) {
	tab := table.Table{Right: []bool{false, true, false}, Indent: ">  "}
	tab.Add("name", "size", "doc")
	tab.Add("w", "12,345", "")
	tab.Add("longer")
	want := ">  name      size  doc\n>  w       12,345\n>  longer\n"
	if got := tab.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
