import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '../../scripts/write-error-catalogue.ts';
import { refusalReasons } from '../../src/domain/refusal-reasons.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  it('is what `npm run errors` writes', () => {
    expect(page).toBe(errorCatalogue());
  });
  it('has a row with a help for every reason', () => {
    const missing = Object.keys(refusalReasons).filter(
      (reason) => !new RegExp(`^\\| \`${reason}\` \\| .+ \\| .+ \\| .+ \\|$`, 'm').test(page),
    );
    expect(missing).toEqual([]);
  });
});
