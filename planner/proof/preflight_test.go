package proof

func preflighted() map[string]string {
	return map[string]string{"Origin": app, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-token"}
}

func agreed(headers ...string) answer {
	return turned(said(200, "", "Access-Control-Allow-Origin: "+app, "Access-Control-Allow-Credentials: true", "Access-Control-Allow-Methods: GET, HEAD",
		"Access-Control-Allow-Headers: x-token", "Access-Control-Max-Age: 600", "Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method"), headers...)
}

// signed asks to send Authorization, which no * allows.
func signed(r judged) judged {
	r.header = preflighted()
	r.header["Access-Control-Request-Headers"] = "authorization"
	return r
}
