package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writable says at once, before a long run, why name could not be written in
// the end; "" is no file.
func writable(name string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return refuse("name a file in it", "write %s: it is a folder", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".edgeward-*")
	if err != nil {
		return refuse("name a file in a folder that exists and can be written", "write %s: %v", name, bareError(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// bareError is the cause without the temporary name that it is about.
func bareError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// writeFile makes text the contents of a file. It is written beside it first, so
// that nobody reads half of it and a full disk loses nothing.
func writeFile(name string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".edgeward-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, bareError(err))
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
