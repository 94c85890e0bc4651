import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

type Files = Readonly<Record<string, string>>;

/** The rules that this project's linter finds broken, by file, in a tree of these files. */
function brokenRules(files: Files): ReadonlyMap<string, ReadonlySet<string>> {
  const tree = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  writeFileSync(
    join(tree, 'biome.json'),
    readFileSync(join(root, 'biome.json'), 'utf8').replace('"enabled": true', '"enabled": false'),
  );
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  const biome = join(root, 'node_modules/.bin/biome');
  const options = ['lint', '--reporter=json', '--max-diagnostics=none', '.'];
  const { stdout } = spawnSync(biome, options, { cwd: tree, encoding: 'utf8' });
  rmSync(tree, { recursive: true, force: true });
  const { diagnostics } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    readonly diagnostics: readonly {
      readonly category: string;
      readonly location: { readonly path: string };
    }[];
  };
  const found = new Map<string, Set<string>>();
  for (const { category, location } of diagnostics) {
    const rules = found.get(location.path) ?? new Set();
    found.set(location.path, rules.add(category.split('/').at(-1) ?? ''));
  }
  return found;
}

const exported = 'export const value = 1;\n';
const using = (path: string) =>
  `import { value } from '${path}';\n\nexport const twice: number = 2 * value;\n`;

/** Imports that must be refused: of a file, or of a library. */
const refused = [
  ['src/jose/a.ts', 'src/domain/b.ts'],
  ['src/x509/a.ts', 'src/domain/b.ts'],
  ['src/domain/a.ts', 'src/ports/b.ts'],
  ['src/ports/a.ts', 'src/protocol/grant/b.ts'],
  ['src/protocol/token/a.ts', 'src/http/routes/b.ts'],
  ['src/protocol/token/a.ts', 'src/store/tables/b.ts'],
  ['src/protocol/token/a.ts', 'src/admin/b.ts'],
  ['src/protocol/token/a.ts', 'src/app/b.ts'],
  ['src/protocol/grant/a.ts', 'src/protocol/possession/b.ts'],
  ['src/protocol/confirmation/a.ts', 'src/protocol/issuance/b.ts'],
  ['src/keys/a.ts', 'src/store/tables/b.ts'],
  ['src/observability/a.ts', 'src/http/load/b.ts'],
  ['src/store/tables/a.ts', 'src/admin/b.ts'],
  ['src/http/routes/a.ts', 'src/store/tables/b.ts'],
  ['src/admin/a.ts', 'src/store/tables/b.ts'],
  ['src/gateway/a.ts', 'src/store/tables/b.ts'],
  ['src/gateway/a.ts', 'src/http/routes/b.ts'],
  ['src/gateway/a.ts', 'src/admin/b.ts'],
  ['src/http/routes/a.ts', 'src/gateway/b.ts'],
  ['src/admin/a.ts', 'src/gateway/b.ts'],
  ['src/protocol/token/a.ts', 'src/gateway/b.ts'],
  ['src/app/a.ts', 'src/cli/b.ts'],
  ['packages/resource-server/src/a.ts', 'src/http/routes/b.ts'],
  ['src/protocol/token/a.ts', 'fastify'],
  ['src/protocol/token/a.ts', 'ioredis'],
  ['src/http/routes/a.ts', '@prisma/client'],
  ['src/store/tables/a.ts', 'fastify'],
] as const;

/** The file of a row, and what it imports, under names of their own: all rows are one tree. */
const numbered = (path: string, row: number) => path.replace('.ts', `${row}.ts`);
const rows = refused.map(([from, to], row) => {
  const path = numbered(from, row);
  if (!to.endsWith('.ts')) return { path, files: { [path]: using(to) } };
  const other = numbered(to, row);
  const way = join('../'.repeat(from.split('/').length - 1), other);
  return { path, files: { [path]: using(way), [other]: exported } };
});
const cycle = (own: string, other: string) =>
  `import { ${other} } from './${other}.ts';\n\nexport const ${own} = (): unknown => ${other};\n`;
const cycleOfTypes = (own: string, other: string) =>
  `import type { ${other} } from './${other}.ts';\n\nexport interface ${own} {\n  readonly next?: ${other};\n}\n`;

describe('the direction of imports in src/ (docs/architecture.md)', () => {
  let broken: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  beforeAll(() => {
    broken = brokenRules({
      ...Object.assign({}, ...rows.map(({ files }) => files)),
      'src/protocol/token/right.ts': using('../../ports/right.ts'),
      'src/ports/right.ts': exported,
      'src/jose/one.ts': cycle('one', 'two'),
      'src/jose/two.ts': cycle('two', 'one'),
      'src/x509/One.ts': cycleOfTypes('One', 'Two'),
      'src/x509/Two.ts': cycleOfTypes('Two', 'One'),
    });
  });
  const rulesOf = (path: string) => [...(broken.get(path) ?? [])];

  it.each(refused.map(([from, to], row) => [from, to, rows[row]?.path ?? ''] as const))(
    'refuses an import from %s of %s',
    (_from, _to, path) => {
      expect(rulesOf(path)).toEqual(['noRestrictedImports']);
    },
  );

  it('takes an import in the direction', () => {
    expect(rulesOf('src/protocol/token/right.ts')).toEqual([]);
  });

  it.each([
    ['values', 'src/jose/one.ts'],
    ['types alone', 'src/x509/One.ts'],
  ])('refuses a cycle of %s', (_what, path) => {
    expect(rulesOf(path)).toContain('noImportCycles');
  });
});

describe('the tree', () => {
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => /^(src|packages\/[^/]+\/src)\/.*\.ts$/.test(path));

  it('has nothing at the root of src/ but main.ts', () => {
    expect(files.filter((path) => /^src\/[^/]+$/.test(path))).toEqual(['src/main.ts']);
  });

  it('has no source file of more than 200 lines', () => {
    const long = files
      .map((path) => ({
        path,
        lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1,
      }))
      .filter(({ lines }) => lines > 200);
    expect(long).toEqual([]);
  });

  it('has no line of more than 100 characters, but for what stands in a string', () => {
    const long = files.flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          line.length > 100 && (/^\s*(\*|\/[/*])/.test(line) || !/['"`/].{40,}/.test(line))
            ? [`${path}:${index + 1}`]
            : [],
        ),
    );
    expect(long).toEqual([]);
  });
});
