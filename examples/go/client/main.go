// Gets a DPoP-bound access token and calls an API with it, by golang.org/x/oauth2.
//
// Usage: ISSUER=... CLIENT_ID=... CLIENT_SECRET=... RESOURCE=... go run . https://api.example.com/reports
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Transport adds a DPoP proof to every request (RFC 9449 section 4.2), and answers nonces (sections 8 and 9).
type Transport struct {
	key    *ecdsa.PrivateKey
	nonces sync.Map // the newest of each host and port
}

func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := t.send(request)
	if err != nil || answer.Header.Get("DPoP-Nonce") == "" || !demandsNonce(answer) {
		return answer, err
	}
	again := request.Clone(request.Context())
	if request.Body != nil {
		// A body that was streamed is gone, and cannot be sent again.
		if request.GetBody == nil {
			return answer, nil
		}
		if again.Body, err = request.GetBody(); err != nil {
			return answer, nil
		}
	}
	answer.Body.Close()
	return t.send(again)
}

func (t *Transport) send(request *http.Request) (*http.Response, error) {
	proof, err := t.proof(request)
	if err != nil {
		return nil, err
	}
	proven := request.Clone(request.Context()) // a RoundTripper must not change the request
	proven.Header.Set("DPoP", proof)
	answer, err := http.DefaultTransport.RoundTrip(proven)
	if err == nil && answer.Header.Get("DPoP-Nonce") != "" {
		t.nonces.Store(request.URL.Host, answer.Header.Get("DPoP-Nonce"))
	}
	return answer, err
}

// An API says so in its challenge, an authorization server in the body.
func demandsNonce(answer *http.Response) bool {
	if answer.StatusCode == http.StatusUnauthorized {
		return strings.Contains(answer.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`)
	}
	if answer.StatusCode != http.StatusBadRequest {
		return false
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte(`"use_dpop_nonce"`))
}

func (t *Transport) proof(request *http.Request) (string, error) {
	jti := make([]byte, 16)
	if _, err := rand.Read(jti); err != nil {
		return "", err
	}
	target := url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Path: request.URL.Path, RawPath: request.URL.RawPath}
	claims := map[string]any{
		"jti": base64url(jti),
		"htm": request.Method,
		"htu": target.String(),
		"iat": time.Now().Unix(),
	}
	if authorization := request.Header.Get("Authorization"); strings.HasPrefix(authorization, "DPoP ") {
		hash := sha256.Sum256([]byte(strings.TrimPrefix(authorization, "DPoP ")))
		claims["ath"] = base64url(hash[:])
	}
	if nonce, known := t.nonces.Load(request.URL.Host); known {
		claims["nonce"] = nonce
	}
	var x, y [32]byte
	header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256",
		"x": base64url(t.key.X.FillBytes(x[:])),
		"y": base64url(t.key.Y.FillBytes(y[:])),
	}}
	headerJSON, _ := json.Marshal(header)
	claimsJSON, _ := json.Marshal(claims)
	signed := base64url(headerJSON) + "." + base64url(claimsJSON)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, t.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64url(signature), nil
}

func base64url(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }

func tokenEndpoint(issuer string) (string, error) {
	answer, err := http.Get(issuer + "/.well-known/oauth-authorization-server")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var metadata struct {
		Issuer        string
		TokenEndpoint string `json:"token_endpoint"`
	}
	err = json.NewDecoder(answer.Body).Decode(&metadata)
	if err == nil && metadata.Issuer != issuer {
		err = errors.New("not the metadata of this issuer") // it would get the secret (RFC 8414 section 3.3)
	}
	return metadata.TokenEndpoint, err
}

func run(target string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	endpoint, err := tokenEndpoint(os.Getenv("ISSUER"))
	if err != nil {
		return err
	}
	config := clientcredentials.Config{
		ClientID:       os.Getenv("CLIENT_ID"),
		ClientSecret:   os.Getenv("CLIENT_SECRET"),
		TokenURL:       endpoint,
		EndpointParams: url.Values{"resource": {os.Getenv("RESOURCE")}},
		AuthStyle:      oauth2.AuthStyleInHeader,
	}
	// A redirect would carry the secret or the token to another place.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	proven := &http.Client{Transport: &Transport{key: key}, Timeout: 10 * time.Second, CheckRedirect: stay}
	// The library takes this client for token requests, and its transport for calls of the API.
	// It writes the token's type, DPoP, as the scheme.
	client := config.Client(context.WithValue(context.Background(), oauth2.HTTPClient, proven))
	client.CheckRedirect = stay
	answer, err := client.Get(target)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(os.Stdout, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the API answered %s", answer.Status)
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: client URL")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
