// `npm run -s sbom`: writes a software bill of materials (CycloneDX) on stdout. It has what is
// installed with Holdfast and what the bundler put into dist/, on every platform, and nothing that
// only builds or tests it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundledPackages } from './bundled-packages.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly licenses?: readonly object[];
  readonly properties?: readonly { readonly name: string }[];
}
interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const root = join(import.meta.dirname, '..');
const all = JSON.parse(
  execFileSync(
    'npm',
    ['sbom', '--sbom-format=cyclonedx', '--package-lock-only', '--workspaces=false'],
    { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 },
  ),
) as Bom;
// `npm sbom --omit=dev` leaves out what a development dependency needs as well.
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
const installed = new Set(
  Object.entries(dependencies).map(([name, version]) => `${name}@${version}`),
);
for (const ref of installed)
  for (const on of all.dependencies.find((edge) => edge.ref === ref)?.dependsOn ?? [])
    installed.add(on);
const bundled = new Map(
  bundledPackages(root).map((used) => [`${used.name}@${used.version}`, used]),
);
const missing = [...bundled.keys(), ...installed].filter(
  (id) => !all.components.some((component) => component['bom-ref'] === id),
);
if (missing.length > 0) throw new Error(`not in package-lock.json: ${missing.join(', ')}`);

const components = all.components
  .filter(({ 'bom-ref': ref }) => installed.has(ref) || bundled.has(ref))
  .map((component) => {
    const used = bundled.get(component['bom-ref']);
    return {
      ...component,
      // The bundler makes an ordinary dependency of it.
      ...(used !== undefined && { scope: 'required' }),
      ...(used !== undefined &&
        component.licenses === undefined && { licenses: [{ license: { id: used.license } }] }),
      properties: (component.properties ?? []).filter(
        ({ name }) => name !== 'cdx:npm:package:development',
      ),
    };
  });
const self = all.metadata.component['bom-ref'];
const kept = new Set([self, ...components.map((component) => component['bom-ref'])]);
const bom = {
  ...all,
  metadata: { ...all.metadata, component: { ...all.metadata.component, name: 'holdfast' } },
  components,
  dependencies: all.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((on) => kept.has(on)) })),
};
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`);
