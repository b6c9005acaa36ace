package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// MainFile is the name of the file that init writes.
const MainFile = "edgeward.hcl"

// maxFileSize bounds one configuration file, in bytes.
const maxFileSize = 8 << 20

// Files are the parsed files by the name that diagnostics use, which is what
// hcl.NewDiagnosticTextWriter needs to show source lines. Input that holds
// sensitive values is not among them, and where there are findings, a secret
// that was written down in the configuration is masked.
type Files map[string]*hcl.File

// loader is one run of Load.
type loader struct {
	dir   string
	o     Options
	files Files
	diags hcl.Diagnostics
	// said are the findings by what they say, groups those that are alike (alike.go).
	said   map[string]*finding
	groups map[string]*group
	// address is the bucket that is being read, and many: its block makes several.
	address string
	many    bool
	// more are blocks that are read as if they stood in the folder, and bare: a
	// configuration without a bucket is as it should be (LoadFound).
	more map[string][]byte
	bare bool
	// broken are the files whose syntax is wrong.
	broken map[string]bool

	blocks    map[string][]*hclsyntax.Block
	variables map[string]*variable
	locals    map[string]*local
	accounts  map[string]*hclsyntax.Block
	dns       map[string]map[string]*dnsBlock
	// secrets are the texts of attributes that came from something sensitive.
	secrets   []string
	functions map[string]function.Function
	ctx       *hcl.EvalContext
}

// Load reads the files of dir (edgeward.hcl and *.edgeward.hcl) and validates
// them. The Config and the Files are always returned; the Config is usable
// when the diagnostics have no errors. All findings are reported at once.
// Sensitive values are in no diagnostic. Paths of Options.VarFiles are taken
// as they are; file() and ca_file are relative to dir.
func Load(dir string, o Options) (*Config, Files, hcl.Diagnostics) {
	l, c := newLoader(dir, o), &Config{Dir: dir}
	l.load(c)
	return c, l.files, l.diags
}

func newLoader(dir string, o Options) *loader {
	l := &loader{
		dir: dir, o: o,
		files: Files{}, said: map[string]*finding{}, groups: map[string]*group{}, broken: map[string]bool{},
		blocks:    map[string][]*hclsyntax.Block{},
		variables: map[string]*variable{},
		locals:    map[string]*local{},
		accounts:  map[string]*hclsyntax.Block{},
		dns:       map[string]map[string]*dnsBlock{},
	}
	if l.o.Env == nil {
		l.o.Env = func(string) (string, bool) { return "", false }
	}
	return l
}

func (l *loader) load(c *Config) {
	if l.parseAll() {
		l.evaluate(c)
	}
	l.gather()
	sortDiags(l.diags)
	l.maskSecrets()
}

// evaluate fills c from the parsed blocks.
func (l *loader) evaluate(c *Config) {
	l.functions = l.functionTable()
	l.declareVariables()
	l.setVariables()
	l.declareLocals()
	l.declareAccounts()
	l.declareProviders()
	l.makeContext()
	l.evaluateLocals()
	l.validateVariables()

	c.Accounts = l.readAccounts()
	c.DNSProviders = l.readProviders()
	c.Probe = l.readProbe()
	c.Rollout = l.readRollout()
	c.Limits = l.readLimits()
	c.RunLock = l.readRunLock()
	c.Buckets = l.readBuckets(c)
	l.defaultAccount(c)
	c.secrets = l.secrets
}

// FileNames lists the configuration files of dir, edgeward.hcl first and the
// others sorted, joined with dir as the user would type them.
func FileNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list configuration files: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		ours := name == MainFile || strings.HasSuffix(name, "."+MainFile) && !strings.HasPrefix(name, ".")
		if ours && !e.IsDir() {
			names = append(names, filepath.Join(dir, name))
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if main := filepath.Base(a) == MainFile; main != (filepath.Base(b) == MainFile) {
			if main {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

// parseAll parses every file. It returns false when what follows would only
// find consequences of what is reported already.
func (l *loader) parseAll() bool {
	whole := place{rng: fileRange(filepath.Join(l.dir, MainFile))}
	names, err := FileNames(l.dir)
	if err != nil {
		l.errorf(whole, "Cannot read the configuration's folder",
			"%s: %v. Give the folder that holds %s with -chdir=DIR.", l.dir, plainCause(err), MainFile)
		return false
	}
	if len(names) == 0 {
		l.errorf(whole, "No configuration",
			"There is no %s in %s. Run \"edgeward init\" to write a starter, or give the folder with -chdir=DIR.", MainFile, folderName(l.dir))
		return false
	}
	ok := true
	for _, name := range names {
		src, err := readBounded(name)
		if err != nil {
			l.errorf(place{rng: fileRange(name)}, "Cannot read a configuration file", "%s: %v.", name, plainCause(err))
			ok = false
			continue
		}
		ok = l.parse(name, src) && ok
	}
	for _, name := range sortedKeys(l.more) {
		ok = l.parse(name, l.more[name]) && ok
	}
	return ok
}

func folderName(dir string) string {
	if dir == "" || dir == "." {
		return "this folder"
	}
	return dir
}

// plainCause is an error of the file system without the path, which the
// message around it says already.
func plainCause(err error) error {
	for {
		pe, ok := err.(*fs.PathError)
		if ok {
			return pe.Err
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileSize {
		return nil, fmt.Errorf("the file has %d bytes; at most %d are read", info.Size(), maxFileSize)
	}
	return os.ReadFile(name)
}

// fileRange is the first character of a file.
func fileRange(name string) hcl.Range {
	return hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// parse parses one file and sorts its blocks by type. It returns false when
// the syntax is broken.
func (l *loader) parse(name string, src []byte) bool {
	l.files[name] = &hcl.File{Bytes: src}
	if rng, f := excessive(name, src); f != nil {
		l.report(hcl.DiagError, place{rng: rng}, f)
		return false
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if file != nil {
		l.files[name] = file
	}
	l.addAll(diags)
	l.broken[name] = diags.HasErrors()
	if diags.HasErrors() {
		return false
	}
	body := file.Body.(*hclsyntax.Body)
	l.checkShape(body, topShape())
	for _, b := range body.Blocks {
		if n, known := topShape().blocks[b.Type]; known && len(b.Labels) == n {
			l.blocks[b.Type] = append(l.blocks[b.Type], b)
		}
	}
	return true
}

// single returns the one block of a type that may stand once in all files,
// and reports the others.
func (l *loader) single(typ string) *hclsyntax.Block {
	blocks := l.blocks[typ]
	if len(blocks) == 0 {
		return nil
	}
	first := blocks[0]
	for _, b := range blocks[1:] {
		l.errorf(place{rng: b.DefRange()}, "Duplicate "+typ+" block",
			"One %s block is enough for all files; the first stands at %s. Move its settings there.", typ, where(first.DefRange()))
	}
	return first
}

// where is a range as a reader finds it: FILE line N.
func where(r hcl.Range) string { return fmt.Sprintf("%s line %d", r.Filename, r.Start.Line) }

// singleBlock is the view on a block that may stand once, also when it is
// missing.
func (l *loader) singleBlock(typ string) block {
	b := l.single(typ)
	if b == nil {
		return block{l: l}
	}
	return block{l: l, at: b.DefRange(), layers: []layer{{b.Body, l.ctx}}}
}

// makeContext makes the names that every expression can refer to.
func (l *loader) makeContext() {
	l.ctx = &hcl.EvalContext{Functions: l.functions, Variables: map[string]cty.Value{
		"var":          l.variablesObject(),
		"local":        cty.EmptyObjectVal,
		"aws":          l.accountsObject(),
		"dns_provider": l.providersObject(),
	}}
}
