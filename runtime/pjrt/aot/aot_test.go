package aot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"vitc/runtime/pjrt"
	"vitc/runtime/pjrt/aot"
)

// envDie makes a compile child end at once, as a plugin may make it.
const envDie = "AOT_TEST_DIE"

func TestMain(m *testing.M) {
	switch how := os.Getenv(envDie); {
	case os.Getenv("VITC_SERVE_PJRT") == "":
	case how == "exit":
		for i := range 30 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		os.Exit(3)
	case how == "silent":
		os.Exit(0)
	case how == "hang":
		time.Sleep(time.Hour)
	}
	aot.MaybeServe()
	os.Exit(m.Run())
}

const program = `module @step attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["data"=4]>
  func.func public @main(%a: tensor<512x256xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {}]>}, %b: tensor<256x256xf32>) -> tensor<512x256xf32> {
    %c = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<512x256xf32>, tensor<256x256xf32>) -> tensor<512x256xf32>
    return %c : tensor<512x256xf32>
  }
}
`

func request(plugin string) *aot.Request {
	return &aot.Request{Plugin: plugin, Topology: "v4:2x2x1", Devices: 4, Program: []byte(program),
		TopologyOptions: []pjrt.Attribute{{Name: "chip_config_name", Value: "megacore"}},
		Compile:         pjrt.CompileOptions{Partitions: 4, Assignment: []int{0, 1, 2, 3}, Shardy: true}}
}

// libtpu is the TPU compiler's file; the test is skipped where there is none.
func libtpu(t *testing.T) string {
	t.Helper()
	found, err := pjrt.Find(pjrt.TPU)
	if err != nil {
		t.Skip(err)
	}
	return found.Path
}

func TestCompile(t *testing.T) {
	r, err := aot.Compile(t.Context(), request(libtpu(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Serialized) == 0 || r.Seconds <= 0 {
		t.Errorf("%d bytes of executable after %g s", len(r.Serialized), r.Seconds)
	}
	if !bytes.Contains(r.Optimized, []byte("estimated_cycles")) {
		t.Error("the scheduled program carries no estimates of cycles")
	}
	const arguments = 512*256*4/4 + 256*256*4 // a quarter of one, the whole other
	if r.Memory.Arguments != arguments {
		t.Errorf("arguments take %d bytes, expected %d", r.Memory.Arguments, arguments)
	}
}

func TestRefused(t *testing.T) {
	plugin := libtpu(t)
	for stage, change := range map[string]func(*aot.Request){
		aot.StageLoad:     func(r *aot.Request) { r.Plugin = "/dev/null" },
		aot.StageTopology: func(r *aot.Request) { r.Topology = "v4:3x5x7x9" },
		aot.StageCompile:  func(r *aot.Request) { r.Program = []byte("module {") },
	} {
		r := request(plugin)
		change(r)
		var refused *aot.RefusedError
		if _, err := aot.Compile(t.Context(), r); !errors.As(err, &refused) || refused.Stage != stage || refused.Msg == "" {
			t.Errorf("%s: %v", stage, err)
		}
	}
	r := request(plugin)
	r.Devices = 8
	if _, err := aot.Compile(t.Context(), r); err == nil || !strings.Contains(err.Error(), "4 devices by the plugin, 8") {
		t.Errorf("a count of devices that is not the plugin's: %v", err)
	}
}

func TestDied(t *testing.T) {
	for how, want := range map[string]string{"exit": "exit status 3", "silent": "without an answer"} {
		t.Setenv(envDie, how)
		var died *aot.DiedError
		_, err := aot.Compile(t.Context(), request("p.so"))
		if !errors.As(err, &died) || !strings.Contains(died.How, want) {
			t.Errorf("%s: %v", how, err)
			continue
		}
		if how == "exit" && (!strings.HasSuffix(died.Words, "line 28\nline 29") || strings.Contains(died.Words, "line 10\n")) {
			t.Errorf("last words: %q", died.Words)
		}
	}
}

// A plugin that can be used is tried without a word; one that cannot, and one that takes its process
// down, are errors of the same kinds as those of compiling.
func TestTry(t *testing.T) {
	var refused *aot.RefusedError
	if err := aot.Try(t.Context(), &aot.Trial{Plugin: "/dev/null"}); !errors.As(err, &refused) || refused.Stage != aot.StageLoad || refused.Fix == "" {
		t.Errorf("no plugin: %v", err)
	}
	if found, err := pjrt.Find(pjrt.CPU); err == nil {
		if err := aot.Try(t.Context(), &aot.Trial{Plugin: found.Path}); err != nil {
			t.Error(err)
		}
		bad := []pjrt.Attribute{{Name: "cpu_device_count", Value: "many"}}
		if err := aot.Try(t.Context(), &aot.Trial{Plugin: found.Path, Options: bad}); !errors.As(err, &refused) || refused.Stage != aot.StageConnect {
			t.Errorf("an option of the wrong type: %v", err)
		}
	}
	t.Setenv(envDie, "exit")
	var died *aot.DiedError
	if err := aot.Try(t.Context(), &aot.Trial{Plugin: "p.so"}); !errors.As(err, &died) || died.Plugin != "p.so" || !strings.HasSuffix(died.Words, "line 29") {
		t.Errorf("a plugin that dies: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Setenv(envDie, "hang")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("enough"))
	defer cancel()
	start := time.Now()
	_, err := aot.Compile(ctx, request("p.so"))
	if err == nil || err.Error() != "enough" || time.Since(start) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
