// Package pjrt runs and compiles StableHLO programs through plugins: shared libraries with the
// PJRT C API, which XLA offers for CPUs, GPUs and TPUs. The API is bound directly, without cgo.
//
// The objects of the API are counted: an object is destroyed once it is closed and nothing that
// was made from it is left, so that closing in any order is safe, also while another goroutine
// is using it. Objects that are forgotten are closed by the garbage collector, at its leisure.
// Everything here is safe for concurrent use.
//
// Memory that a plugin reads or writes while a call runs is pinned for that time. A plugin is
// never unloaded: XLA keeps threads that would outlive it.
package pjrt
