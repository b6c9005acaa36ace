package view

import (
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
)

// schemaDialect is the version of JSON Schema that Schema is written in.
const schemaDialect = "https://json-schema.org/draft/2020-12/schema"

// Schema is the JSON Schema of `plan -json`, made from the Go types that are
// written, so that it cannot differ from them. Its $defs have the other outputs:
// Line is a line of `apply -json`, Run is `apply -json-into`, StatusReport is
// `status`, VerifyReport is `verify`, SavedPlan is a file of `plan -out`,
// Record is `report`; also are
// further ones, by name. Fields that it does not name may be added by a later version with the
// same major format_version.
func Schema(also map[string]reflect.Type) map[string]any {
	tops := map[string]reflect.Type{
		"Plan": reflect.TypeFor[planner.Plan](), "Run": reflect.TypeFor[Run](), "StatusReport": reflect.TypeFor[planner.StatusReport](),
		"VerifyReport": reflect.TypeFor[planner.VerifyReport](), "SavedPlan": reflect.TypeFor[planner.Saved](),
		"Record": reflect.TypeFor[Record](),
	}
	maps.Copy(tops, also)
	s := schemas{defs: map[string]any{}, names: map[reflect.Type]string{}, enums: schemaEnums()}
	for name, t := range tops {
		s.names[t] = name
	}
	for _, t := range tops {
		s.ref(t)
	}
	s.defs["Line"] = map[string]any{
		"description": "one line of `apply -json` or `rollback -json`; the last one is the report",
		"anyOf":       []any{s.ref(reflect.TypeFor[planner.Event]()), s.ref(reflect.TypeFor[ReportLine]())},
	}
	return map[string]any{
		"$schema": schemaDialect, "title": "edgeward plan -json, format version " + planner.FormatVersion,
		"$ref": "#/$defs/Plan", "$defs": s.defs,
	}
}

// schemaEnums are the values of the typed strings.
func schemaEnums() map[reflect.Type][]any {
	return map[reflect.Type][]any{
		reflect.TypeFor[planner.Goal]():         {planner.Migrate, planner.Rollback, planner.UnlockBucket},
		reflect.TypeFor[planner.Kind]():         kindEnum(),
		reflect.TypeFor[planner.Status]():       {planner.Done, planner.Todo, planner.Waiting, planner.Failed},
		reflect.TypeFor[planner.Standing]():     {planner.StandNew, planner.StandUnderWay, planner.StandDone, planner.StandBlocked, planner.StandHeld},
		reflect.TypeFor[planner.Action]():       {planner.Create, planner.Change, planner.Remove, planner.Check, planner.Wait},
		reflect.TypeOf(planner.QuotaUse{}.Kind): quotaEnum(),
		reflect.TypeFor[planner.Severity]():     {planner.Error, planner.Warning, planner.Note},
		reflect.TypeFor[planner.EventStatus]():  {planner.EventStarted, planner.EventWaiting, planner.EventDone, planner.EventFailed, planner.EventNote},
		reflect.TypeFor[planner.Outcome](): {planner.OutcomeFinished, planner.OutcomeNothing, planner.OutcomeStopped, planner.OutcomeWaiting,
			planner.OutcomeHeld, planner.OutcomeBlocked, planner.OutcomeFailed, planner.OutcomeStale, planner.OutcomeSkipped, planner.OutcomeRolled, planner.OutcomeUnlocked,
			planner.OutcomeInterrupted},
		reflect.TypeFor[planner.Readiness](): {planner.Ready, planner.NeedsAnswer, planner.ByHand},
		reflect.TypeFor[ApprovedHow]():       {ApprovedByYes, ApprovedByFlag, ApprovedSaved},
		reflect.TypeFor[planner.Method]():    {planner.ByAccessLog, planner.ByMetrics, planner.ByProbes, planner.ByNothing},
		reflect.TypeFor[proof.Verdict]():     {proof.Same, proof.Expected, proof.Changed, proof.Broken, proof.NotCompared},
	}
}

func quotaEnum() (all []any) {
	for _, k := range planner.QuotaKinds() {
		all = append(all, k)
	}
	return all
}

// kindEnum are the stages; "" is none.
func kindEnum() []any {
	all := []any{""}
	for _, k := range kindOrder() {
		all = append(all, k)
	}
	return all
}

// schemas makes the definitions of types.
type schemas struct {
	defs  map[string]any
	names map[reflect.Type]string
	enums map[reflect.Type][]any
}

// ref is a reference to the definition of t, which it makes once.
func (s schemas) ref(t reflect.Type) map[string]any {
	name := s.names[t]
	if name == "" {
		name = upper(t.Name())
	}
	if _, made := s.defs[name]; !made {
		s.defs[name] = map[string]any{} // types may refer to each other
		s.defs[name] = s.define(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// define is the definition of a type with a name.
func (s schemas) define(t reflect.Type) map[string]any {
	if values := s.enums[t]; values != nil {
		return map[string]any{"type": "string", "enum": values}
	}
	if t == reflect.TypeFor[planner.Seconds]() {
		return map[string]any{"type": "integer", "description": "seconds"}
	}
	if t.Kind() != reflect.Struct {
		return s.plain(t)
	}
	properties := map[string]any{}
	required := s.fields(t, properties)
	def := map[string]any{"type": "object", "properties": properties}
	if required != nil {
		def["required"] = required
	}
	return def
}

// fields adds the fields of a struct to properties, and gives the names of those
// that are always there.
func (s schemas) fields(t reflect.Type, properties map[string]any) (required []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			required = append(required, s.fields(f.Type, properties)...)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		properties[name] = s.of(f.Type)
		if options != "omitempty" && options != "omitzero" {
			required = append(required, name)
		}
	}
	return required
}

// of is the schema of a value of type t.
func (s schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Struct, t.PkgPath() != "":
		return s.ref(t)
	}
	return s.plain(t)
}

func (s schemas) plain(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{} // anything; no type of ours comes here
}
