import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reasons } from '../../packages/resource-server/src/reasons.ts';

const root = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');

describe('the reasons of @holdfast/resource-server', () => {
  it('are all explained in docs/resource-server.md, and no others', () => {
    const [, table = ''] =
      /\n### Reasons\n([\s\S]*?)\n##/.exec(text('docs/resource-server.md')) ?? [];
    const rows = [...table.matchAll(/^\| `(\w+)` \| (.+) \| (.+) \|$/gm)];
    expect(rows.map(([, reason]) => reason)).toEqual(['reason', ...reasons]);
  });

  it('contain every reason of the checks of a proof, which the server shares', () => {
    const files = [
      'src/protocol/possession/dpop.ts',
      'src/protocol/possession/proof-claims.ts',
      'packages/resource-server/src/mac-proof.ts',
    ];
    const thrown = files
      .flatMap((path) => [...text(path).matchAll(/new OAuthError\(([^)]*)\)/g)])
      .flatMap(([, argument = '']) => [...argument.matchAll(/'(\w+)'/g)])
      .map(([, reason]) => reason);
    expect(thrown).toContain('nonce_stale');
    expect(reasons).toEqual(expect.arrayContaining(thrown));
  });
});
