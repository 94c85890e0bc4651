import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = join(import.meta.dirname, '../../docs/decisions');
const pages = readdirSync(folder).sort();

describe('docs/decisions', () => {
  it('the decisions are numbered without gaps', () => {
    const numbers = pages.map((page) => Number(page.slice(0, 4)));
    expect(numbers).toEqual(pages.map((_, index) => index + 1));
  });
  it.each(pages)('%s has its number, status, context, decision and consequence', (page) => {
    const headings = readFileSync(join(folder, page), 'utf8').match(/^##? .*$/gm) ?? [];
    const [title, ...sections] = headings;
    expect(title).toMatch(new RegExp(`^# ${Number(page.slice(0, 4))}\\. `));
    expect(sections).toEqual(['## Status', '## Context', '## Decision', '## Consequence']);
  });
});
