package driver

import (
	"encoding/json"
)

// podOptions is options.json: all that compiling a program's text needs to be told, in a form
// that tools outside this project read too.
type podOptions struct {
	Topology        string             `json:"topology"`
	TopologyOptions podTopologyOptions `json:"topology_options"`
	NumPartitions   int                `json:"num_partitions"`
	// DeviceAssignment has for each partition its device's place in the list that the plugin
	// gives of the topology's devices.
	DeviceAssignment []int             `json:"device_assignment"`
	UseShardy        bool              `json:"use_shardy"`
	XLAFlags         map[string]string `json:"xla_flags"`
	ModelFlops       float64           `json:"model_flops"`
	Partitioner      string            `json:"partitioner"`
}

type podTopologyOptions struct {
	ChipConfig string `json:"chip_config_name,omitempty"`
	Wrap       []int  `json:"wrap,omitempty"`
}

// File is one of several files that a command writes to a folder.
type File struct {
	Name string
	Data []byte
}

// Files are the program's text and what to compile it with.
func (pod *PodProgram) Files() ([]File, error) {
	options, err := json.MarshalIndent(pod.options(), "", "  ")
	if err != nil {
		return nil, err
	}
	return []File{{"program.mlir", pod.Text}, {"options.json", append(options, '\n')}}, nil
}

func (pod *PodProgram) options() podOptions {
	o := podOptions{Topology: pod.Topology.Name(), NumPartitions: pod.Plan.Mesh.Devices(), UseShardy: true,
		XLAFlags: pod.Flags, ModelFlops: pod.ModelFlops, Partitioner: pod.Partitioner}
	topology := pod.Topology.Options()
	o.TopologyOptions.ChipConfig = topology.ChipConfig
	for _, wraps := range topology.Wrap {
		o.TopologyOptions.Wrap = append(o.TopologyOptions.Wrap, number(wraps))
	}
	for _, id := range pod.Assignment.Devices {
		o.DeviceAssignment = append(o.DeviceAssignment, pod.Topology.Listed(id))
	}
	return o
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
