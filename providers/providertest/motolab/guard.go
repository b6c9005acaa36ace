//go:build peers

package motolab

import (
	"fmt"
	"net/http"
	"strings"
)

// Guard refuses a request for which it returns a message, as AWS refuses what no
// policy allows; moto itself lets everybody do everything. op is as in Requests.
type Guard func(op string, r *http.Request, body []byte) (refusal string)

// SetGuard puts a guard before all requests from now on; nil takes it away.
func (l *Lab) SetGuard(g Guard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guard = g
}

// refused answers a request that the guard refuses, in the words of its service
// [Common Errors of the ACM, CloudFront, Route 53 and S3 API References].
func (l *Lab) refused(w http.ResponseWriter, r *http.Request, op string, body []byte) bool {
	l.mu.Lock()
	guard := l.guard
	l.mu.Unlock()
	if guard == nil {
		return false
	}
	message := guard(op, r, body)
	switch {
	case message == "":
		return false
	case r.Header.Get("X-Amz-Target") != "":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"__type":"AccessDeniedException","message":%q}`, message)
	case strings.HasPrefix(r.URL.Path, "/2020-05-31/"), strings.HasPrefix(r.URL.Path, "/2013-04-01/"):
		refuse(w, http.StatusForbidden, "AccessDenied", message)
	default:
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>%s</Message><RequestId>lab</RequestId></Error>`, message)
	}
	return true
}
