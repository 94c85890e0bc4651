// Command main renders a Helm chart as Helm does: Go templates with sprig and Helm's own functions.
// It takes the folder of the chart, and on standard input {"name", "namespace", "values"} as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type release struct {
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	Values    map[string]any `json:"values"`
}

func main() {
	log.SetFlags(0)
	var given release
	check(json.NewDecoder(os.Stdin).Decode(&given))
	chart, values := map[string]any{}, map[string]any{}
	readYaml(filepath.Join(os.Args[1], "Chart.yaml"), &chart)
	readYaml(filepath.Join(os.Args[1], "values.yaml"), &values)
	// Charts say .Chart.AppVersion, and their files appVersion.
	for name, value := range chart {
		chart[strings.ToUpper(name[:1])+name[1:]] = value
	}
	data := map[string]any{
		"Chart":   chart,
		"Values":  merged(values, given.Values),
		"Release": map[string]any{"Name": given.Name, "Namespace": given.Namespace, "Service": "Helm"},
	}

	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	files, err := filepath.Glob(filepath.Join(os.Args[1], "templates", "*"))
	check(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		_, err = all.New(filepath.Base(file)).Parse(string(text))
		check(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var out bytes.Buffer
		check(all.ExecuteTemplate(&out, name, data))
		text := strings.ReplaceAll(out.String(), "<no value>", "")
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", name, text)
		}
	}
}

func functions(all *template.Template) template.FuncMap {
	own := sprig.TxtFuncMap()
	// As Helm does: a chart sees nothing of the machine.
	delete(own, "env")
	delete(own, "expandenv")
	own["toYaml"] = func(value any) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	own["include"] = func(name string, data any) (string, error) {
		var out strings.Builder
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	own["required"] = func(message string, value any) (any, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	return own
}

// merged puts given values over those of the chart, map by map.
func merged(chart, given map[string]any) map[string]any {
	for name, value := range given {
		own, isMap := chart[name].(map[string]any)
		if more, ok := value.(map[string]any); ok && isMap {
			chart[name] = merged(own, more)
		} else {
			chart[name] = value
		}
	}
	return chart
}

func readYaml(path string, into *map[string]any) {
	text, err := os.ReadFile(path)
	check(err)
	check(yaml.Unmarshal(text, into))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
