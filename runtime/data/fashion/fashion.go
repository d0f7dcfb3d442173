// Package fashion holds a balanced subset of Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017;
// MIT licence, see NOTICE): 1,600 training and 400 test images of 28 x 28 grey pixels in
// ten classes, as gzipped IDX files under the names of the whole data set's.
//
// It exists so that examples and tests train on real pictures with nothing to download.
package fashion

import "embed"

//go:generate go run gen.go

// Files holds train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz,
// t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz.
//
//go:embed *.gz
var Files embed.FS
