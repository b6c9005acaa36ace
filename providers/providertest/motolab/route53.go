//go:build peers

package motolab

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// AtomicChanges has the front apply ChangeResourceRecordSets as Route 53 does
// and moto does not: all of a batch or nothing, with no list of the zone in
// between; a DELETE only of exactly what stands; a CREATE only where none of
// the name and type stands, whatever stood there once; a CNAME alone at its name
// [Route 53 API Reference: ChangeResourceRecordSets]. A refusal is
// InvalidChangeBatch. What passes is sent on to moto, each CREATE as an UPSERT,
// which moto's journal of old changes does not refuse.
func (l *Lab) AtomicChanges() { l.front.atomic.Store(true) }

// recordSet is what the front compares of a ResourceRecordSet.
type recordSet struct {
	Name, Type, SetIdentifier string
	TTL                       int64
	Values                    []string `xml:"ResourceRecords>ResourceRecord>Value"`
	Alias                     *struct {
		HostedZoneId, DNSName string
		EvaluateTargetHealth  bool
	} `xml:"AliasTarget"`
}

func (s *recordSet) clean() {
	fold := func(name string) string {
		return strings.ToLower(strings.TrimSuffix(strings.ReplaceAll(name, `\052`, "*"), "."))
	}
	s.Name = fold(s.Name)
	if s.Alias != nil {
		s.TTL, s.Alias.DNSName = 0, fold(s.Alias.DNSName)
	}
	slices.Sort(s.Values)
}

func (s recordSet) at(o recordSet) bool {
	return s.Name == o.Name && s.Type == o.Type && s.SetIdentifier == o.SetIdentifier
}

type recordChange struct {
	Action string
	Set    recordSet `xml:"ResourceRecordSet"`
}

// changeRecords checks a batch against what stands and sends it to moto.
func (f *front) changeRecords(w http.ResponseWriter, r *http.Request, body []byte) {
	var sent struct {
		Changes []recordChange `xml:"ChangeBatch>Changes>Change"`
	}
	if err := xml.Unmarshal(body, &sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.zones.Lock()
	defer f.zones.Unlock()
	stands := map[string][]recordSet{}
	for i := range sent.Changes {
		set := &sent.Changes[i].Set
		set.clean()
		if _, ok := stands[set.Name]; ok {
			continue
		}
		sets, err := f.standing(r, set.Name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		stands[set.Name] = sets
	}
	for _, c := range sent.Changes {
		after, why := c.apply(stands[c.Set.Name])
		if why != "" {
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type><Code>InvalidChangeBatch</Code><Message>[%s]</Message></Error><RequestId>lab</RequestId></ErrorResponse>`, why)
			return
		}
		stands[c.Set.Name] = after
	}
	body = bytes.ReplaceAll(body, []byte("<Action>CREATE</Action>"), []byte("<Action>UPSERT</Action>"))
	resp, text, err := f.ask(r.Context(), "route53", r.Method, r.URL.RequestURI(), nil, body)
	relay(w, resp, text, err)
}

// apply gives the sets of the name after the change, or why it is refused, in
// Route 53's words.
func (c recordChange) apply(stands []recordSet) (after []recordSet, why string) {
	i := slices.IndexFunc(stands, c.Set.at)
	name := fmt.Sprintf("[name='%s.', type='%s']", c.Set.Name, c.Set.Type)
	switch {
	case c.Action == "DELETE" && i < 0:
		return nil, "Tried to delete resource record set " + name + " but it was not found"
	case c.Action == "DELETE" && !reflect.DeepEqual(stands[i], c.Set):
		return nil, "Tried to delete resource record set " + name + " but the values provided do not match the current values"
	case c.Action == "DELETE":
		return slices.Delete(slices.Clone(stands), i, i+1), ""
	case c.Action == "CREATE" && i >= 0:
		return nil, "Tried to create resource record set " + name + " but it already exists"
	case i >= 0:
		stands = slices.Delete(slices.Clone(stands), i, i+1)
	}
	for _, s := range stands {
		if s.Type != c.Set.Type && (s.Type == "CNAME" || c.Set.Type == "CNAME") {
			return nil, "RRSet of type " + c.Set.Type + " with DNS name " + c.Set.Name +
				". is not permitted because a conflicting RRSet of type " + s.Type + " with the same DNS name already exists"
		}
	}
	return append(slices.Clone(stands), c.Set), ""
}

// standing are moto's sets of one name in the zone that the request is about.
func (f *front) standing(r *http.Request, name string) ([]recordSet, error) {
	path := fmt.Sprintf("%s?name=%s&maxitems=100", r.URL.Path, url.QueryEscape(name+"."))
	resp, text, err := f.ask(r.Context(), "route53", http.MethodGet, path, nil, nil)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("moto lists the record sets of %s: %s", name, resp.Status)
	}
	if err != nil {
		return nil, err
	}
	var got struct {
		Sets []recordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	if err := xml.Unmarshal(text, &got); err != nil {
		return nil, err
	}
	var sets []recordSet
	for _, s := range got.Sets {
		if s.clean(); s.Name == name {
			sets = append(sets, s)
		}
	}
	return sets, nil
}
