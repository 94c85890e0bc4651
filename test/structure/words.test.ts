import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AvoidedWord, avoidedWords } from './avoided-words.ts';

const root = join(import.meta.dirname, '../..');
const texts = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => /^(src|packages|docs|scripts)\/.*\.(ts|js|md)$|^README\.md$/.test(path))
  .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n') }));

/** Where the word stands although it should not: `path:line`. */
function found({ pattern, exceptions = [] }: AvoidedWord): readonly string[] {
  return texts.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) => {
      const text = exceptions
        .filter((exception) => exception.in === undefined || path.startsWith(exception.in))
        .reduce((rest, { phrase }) => rest.replaceAll(phrase, ''), line);
      return pattern.test(text) || (index === 0 && pattern.test(path))
        ? [`${path}:${index + 1}`]
        : [];
    }),
  );
}

describe('the glossary (docs/architecture.md)', () => {
  it.each(avoidedWords.map((word) => [word.instead, word] as const))(
    'says %s',
    (_instead, word) => {
      expect(found(word)).toEqual([]);
    },
  );
});
