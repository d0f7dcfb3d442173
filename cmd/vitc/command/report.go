package command

import (
	"bytes"
	"io"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// report makes `vitc report`.
func (a *app) report() *cobra.Command {
	var q driver.PodReportRequest
	var asJSON bool
	var page, trace string
	c := &cobra.Command{
		Use:   "report BUNDLE.vitb | PROGRAM.pb",
		Short: "Show what the TPU compiler made of a program",
		Long: `Report reads the schedule that the TPU compiler gave back and estimates one step: its time and
where that goes, how much communication compute hides, which collectives run along which axis
and from which line, and what fills a device's memory. No hardware stands behind its figures.

It takes a bundle that vitc build made for a tpu: target, or the compiler's own file, an
HloModuleProto, with what it was compiled for.`,
		Example: `  vitc build --target tpu:v4:2x2x1 net.vit && vitc report net.vitb
  vitc report net.vitb --html net.html
  vitc report program.pb --topology tpu:v4:8x8x16 --mesh data=64,model=16 --model-flops 2.2e18`,
		Args: between(1, 1, "a bundle or a scheduled program"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.File = args[0]
			r, err := driver.ReportPod(q)
			if err != nil {
				return err
			}
			for _, out := range []struct {
				path  string
				write func(io.Writer) error
			}{{page, r.WriteHTML}, {trace, r.WriteTrace}} {
				if err := writeTo(out.path, out.write); err != nil {
					return err
				}
			}
			if asJSON {
				return a.printJSON(r)
			}
			return r.WriteText(a.out)
		},
	}
	c.Flags().StringVar(&q.Topology, "topology", "", "what a scheduled program was compiled for, such as tpu:v4:8x8x16")
	c.Flags().StringVar(&q.Mesh, "mesh", "", "the mesh's axes with their sizes, to name collectives by, such as data=64,model=16")
	c.Flags().Float64Var(&q.ModelFlops, "model-flops", 0, "FLOPs of a step's products on all devices, for the MFU")
	c.Flags().StringVar(&page, "html", "", "write a page with a timeline of one step to a file")
	c.Flags().StringVar(&trace, "trace", "", "write a trace for Perfetto to a file")
	jsonFlag(c, &asJSON)
	return c
}

// writeTo writes a file, if one is wanted.
func writeTo(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return writeFile(path, b.Bytes())
}
