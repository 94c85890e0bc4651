import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const trees: string[] = [];
afterAll(() => {
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
});

/** The names of the rules that this project's linter finds broken in a tree of these files. */
function brokenRules(files: Readonly<Record<string, string>>): readonly string[] {
  const tree = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
  trees.push(tree);
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
  const options = ['lint', '--reporter=json', '.'];
  let report: string;
  try {
    report = execFileSync(biome, options, { cwd: tree, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    report = (error as { readonly stdout: string }).stdout;
  }
  const { diagnostics } = JSON.parse(report.slice(report.indexOf('{'))) as {
    readonly diagnostics: readonly { readonly category: string }[];
  };
  return [...new Set(diagnostics.map(({ category }) => category.split('/').at(-1) ?? ''))];
}

const exported = 'export const value = 1;\n';
const using = (path: string) =>
  `import { value } from '${path}';\n\nexport const twice: number = 2 * value;\n`;

describe('the direction of imports in src/ (docs/architecture.md)', () => {
  it.each([
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
  ])('refuses an import from %s of %s', (from, to) => {
    const path = join('../'.repeat(from.split('/').length - 1), to);
    expect(brokenRules({ [from]: using(path), [to]: exported })).toEqual(['noRestrictedImports']);
  });

  it.each([
    ['src/protocol/token/a.ts', 'fastify'],
    ['src/protocol/token/a.ts', 'ioredis'],
    ['src/http/routes/a.ts', '@prisma/client'],
    ['src/store/tables/a.ts', 'fastify'],
  ])('refuses an import from %s of %s', (from, library) => {
    const text = `import { value } from '${library}';\n\nexport const twice: number = 2 * value;\n`;
    expect(brokenRules({ [from]: text })).toEqual(['noRestrictedImports']);
  });

  it('takes an import in the direction', () => {
    const path = '../../ports/b.ts';
    expect(
      brokenRules({ 'src/protocol/token/a.ts': using(path), 'src/ports/b.ts': exported }),
    ).toEqual([]);
  });

  it('refuses a cycle of values', () => {
    const file = (own: string, other: string) =>
      `import { ${other} } from './${other}.ts';\n\nexport const ${own} = (): unknown => ${other};\n`;
    const files = { 'src/jose/a.ts': file('a', 'b'), 'src/jose/b.ts': file('b', 'a') };
    expect(brokenRules(files)).toEqual(['noImportCycles']);
  });

  it('refuses a cycle of types alone', () => {
    const file = (own: string, other: string) =>
      `import type { ${other} } from './${other.toLowerCase()}.ts';\n\nexport interface ${own} {\n  readonly next?: ${other};\n}\n`;
    const files = { 'src/jose/a.ts': file('A', 'B'), 'src/jose/b.ts': file('B', 'A') };
    expect(brokenRules(files)).toEqual(['noImportCycles']);
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
