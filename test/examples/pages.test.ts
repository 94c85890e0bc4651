import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { packedServer } from '../support/packed.ts';

const root = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');
const sh = async (
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
) => promisify(execFile)('sh', args, { cwd, env: { PATH: process.env['PATH'], ...env } });

describe('a newcomer gets through the pages', () => {
  it('README.md says how each program is named and run, in at most 100 lines', () => {
    const readme = text('README.md');
    expect(readme.split('\n').length - 1).toBeLessThanOrEqual(100);
    for (const name of ['api.mjs', 'client.mjs'])
      expect(readme).toMatch(new RegExp(`as \`${name}\`[^\n]*\`node ${name}\``));
    expect(readme).toMatch(/`node client.mjs`[^\n]*`CLIENT_SECRET`/);
  });

  it('the tutorial keeps the secret of the client when its step is repeated', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tutorial-'));
    const [step = ''] =
      /^mkdir -p tutorial\n.*$/m.exec(text('docs/tutorials/protect-an-api.md')) ?? [];
    const secret = () => readFileSync(join(folder, 'tutorial/secret'), 'utf8');
    await sh(['-ec', step], folder);
    const first = secret();
    await sh(['-ec', step], folder);
    expect([first.length > 30, secret()]).toEqual([true, first]);
    rmSync(folder, { recursive: true });
    expect(text('.gitignore').split('\n')).toContain('/tutorial/');
  });

  it.each([
    ['docs/clients', readdirSync(join(root, 'docs/clients')).map((name) => `docs/clients/${name}`)],
    ['examples', ['examples/README.md']],
  ])('the pages in %s call the API of README.md where it runs', (_, pages) => {
    const away = pages.filter((page) => {
      const blocks = text(page).split(/\n\n(?! )/);
      return blocks.some((block) =>
        /localhost:8080[\s\S]*https:\/\/api\.example\.com\//.test(block),
      );
    });
    expect(away).toEqual([]);
  });

  it.each(['client', 'resource-server'])(
    'README.md of packages/%s has no links that lead nowhere where it is installed',
    (name) => {
      const links = [...text(`packages/${name}/README.md`).matchAll(/\]\(([^)]+)\)/g)];
      const dead = links.map(([, to = '']) => to).filter((to) => !/^(https:|#)/.test(to));
      expect(dead).toEqual([]);
    },
  );
});

it('the package of the server contains every page that its README.md links to', async () => {
  const { files } = await packedServer();
  const packed = new Set(files.map(({ path }) => path));
  const links = [...text('README.md').matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, to = '']) => to);
  expect(links.filter((to) => !packed.has(to))).toEqual([]);
});

describe('examples/shell/client.sh called wrongly says how it is called', () => {
  const variables = { ISSUER: 'i', CLIENT_ID: 'c', CLIENT_SECRET: 's', RESOURCE: 'r' };
  it.each<[string, readonly string[], Readonly<Record<string, string>>]>([
    ['without a URL', [], variables],
    ['with two URLs', ['https://a.example', 'https://b.example'], variables],
    ['without variables', ['https://a.example'], {}],
    ['with an empty secret', ['https://a.example'], { ...variables, CLIENT_SECRET: '' }],
  ])('%s', async (_, args, env) => {
    const script = join(root, 'examples/shell/client.sh');
    await expect(sh([script, ...args], root, env)).rejects.toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /^Usage: ISSUER=… CLIENT_ID=… CLIENT_SECRET=… RESOURCE=… sh .* URL\n$/,
      ),
    });
  });
});
