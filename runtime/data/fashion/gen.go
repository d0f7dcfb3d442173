//go:build ignore

// Gen makes the embedded subset from the whole data set: of each class the first 160
// training images and the first 40 test images, in the order of the files.
//
//	apt-get install dataset-fashion-mnist
//	go run gen.go [FOLDER]
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"log"
	"os"
	"path/filepath"
)

const (
	classes = 10
	pixels  = 28 * 28
)

func main() {
	log.SetFlags(0)
	dir := "/usr/share/datasets/fashion-mnist"
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	subset(dir, "train", 160)
	subset(dir, "t10k", 40)
}

// subset writes the images and labels of one split with perClass of each class.
func subset(dir, split string, perClass int) {
	imageFile, labelFile := split+"-images-idx3-ubyte.gz", split+"-labels-idx1-ubyte.gz"
	images := unzip(filepath.Join(dir, imageFile))[16:]
	labels := unzip(filepath.Join(dir, labelFile))[8:]
	var count [classes]int
	var keptImages, keptLabels []byte
	for i, label := range labels {
		if count[label] < perClass {
			count[label]++
			keptLabels = append(keptLabels, label)
			keptImages = append(keptImages, images[i*pixels:(i+1)*pixels]...)
		}
	}
	n := uint32(len(keptLabels))
	if n != uint32(classes*perClass) {
		log.Fatalf("%s: %d images of %d", split, n, classes*perClass)
	}
	zip(imageFile, keptImages, 0x803, n, 28, 28)
	zip(labelFile, keptLabels, 0x801, n)
}

func unzip(path string) []byte {
	f, err := os.Open(path)
	check(err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(err)
	b, err := io.ReadAll(z)
	check(err)
	return b
}

// zip writes an IDX file: magic number and sizes, then the bytes. The gzip header has no
// name and no time, so that the file is the same each time.
func zip(path string, data []byte, header ...uint32) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	check(err)
	check(binary.Write(z, binary.BigEndian, header))
	_, err = z.Write(data)
	check(err)
	check(z.Close())
	check(os.WriteFile(path, b.Bytes(), 0o644))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
