import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { goPath } from './left-out.ts';

/** The folder of the chart. */
export const chart: string = join(import.meta.dirname, '../../deploy/helm');

/** An object of Kubernetes, as far as the tests look into it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: unknown;
}

/** What the chart becomes with some values: its objects, or why there are none. */
export interface Rendered {
  readonly objects: readonly KubernetesObject[];
  readonly fault: string;
}

/** Builds the program that renders it, with what Debian has of Helm's parts, into this folder. */
export function buildRenderer(folder: string): (values: object) => Rendered {
  const program = join(folder, 'render-chart');
  execFileSync('go', ['build', '-o', program, 'main.go'], {
    cwd: join(import.meta.dirname, 'render-chart'),
    env: { ...process.env, GO111MODULE: 'off', GOPATH: goPath, GOFLAGS: '' },
  });
  return (values) => {
    const input = JSON.stringify({ name: 'holdfast', namespace: 'auth', values });
    const { status, stdout, stderr } = spawnSync(program, [chart], { input, encoding: 'utf8' });
    if (status !== 0) return { objects: [], fault: stderr };
    const documents = parseAllDocuments(stdout).map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as KubernetesObject;
    });
    return { objects: documents, fault: '' };
  };
}
