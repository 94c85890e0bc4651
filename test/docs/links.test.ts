import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const project = join(import.meta.dirname, '../..');
const files = (pattern: string) =>
  execFileSync('git', ['ls-files', '-co', '--exclude-standard', pattern], {
    cwd: project,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(project, path)));
const text = (path: string) => readFileSync(join(project, path), 'utf8');

/** Markdown without its code blocks, which hold no links. */
const prose = (path: string) => text(path).replace(/^( *)```[\s\S]*?^\1```$/gm, '');

/** The anchors that GitHub makes of the headings of a page. */
function anchors(path: string): readonly string[] {
  const seen = new Map<string, number>();
  return [...prose(path).matchAll(/^#+ +(.+)$/gm)].map(([, heading = '']) => {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** The links of a page that lead nowhere in this repository. */
function brokenLinks(page: string): readonly string[] {
  return [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(project, file))) return true;
      return anchor !== undefined && extname(file) === '.md' && !anchors(file).includes(anchor);
    });
}

describe('links of the documentation', () => {
  it.each(files('*.md'))('%s: every relative link and anchor leads somewhere', (page) => {
    expect(brokenLinks(page)).toEqual([]);
  });
  it('the test itself sees a link that leads nowhere', () => {
    expect(anchors('docs/protocol.md')).toContain('additional-holders-alt_cnf');
    expect(anchors('docs/protocol.md')).not.toContain('no-such-heading');
  });
  it('the sources and the tests cite pages that exist', () => {
    const broken = [...files('*.ts'), ...files('*.conf')].flatMap((source) =>
      [...text(source).matchAll(/\bdocs\/[\w/-]+\.md\b/g)]
        .filter(([path]) => !existsSync(join(project, path)))
        .map(([path]) => `${source} cites ${path}`),
    );
    expect(broken).toEqual([]);
  });
});
