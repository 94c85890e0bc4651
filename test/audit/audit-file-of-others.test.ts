import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkAuditSink } from '../../src/cli/doctor/check-audit-sink.ts';
import { readConfig } from '../../src/config/config.ts';
import { toFile } from '../../src/observability/audit-file.ts';
import { scratchFolder } from '../support/scratch.ts';

const source = join(import.meta.dirname, '../../src/observability/audit-file.ts');
let folder = '';
beforeEach(() => {
  folder = scratchFolder();
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A file of root with this mode and content. */
function fileOf(mode: number, content: string): string {
  const path = join(folder, 'audit.jsonl');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** Works as a user who owns nothing. */
async function asNobody<Result>(work: () => Promise<Result>): Promise<Result> {
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe('AUDIT_SINK=file:… of another user', () => {
  beforeEach(({ skip }) => {
    skip(process.getuid?.() !== 0, 'only root may act as another user');
  });

  it.each([
    ['may read and write', 0o666, '1\n', '1\n2\n3\n'],
    ['may read and write, of which the last line is cut', 0o666, '1', '1\n2\n3\n'],
    ['may only write', 0o622, '1', '1\n2\n\n3\n'],
    ['may only write, which is empty', 0o622, '', '2\n\n3\n'],
  ])('is appended to where the server %s, and is said once to be open', async (...row) => {
    const [, mode, before, after] = row;
    const path = fileOf(mode, before);
    const said: unknown[] = [];
    await asNobody(async () => {
      const deliver = toFile(path, { warn: (...of: unknown[]) => said.push(...of) });
      await deliver(['2']);
      await deliver(['3']);
    });
    expect(readFileSync(path, 'utf8')).toBe(after);
    expect(statSync(path).mode & 0o777).toBe(mode);
    expect(said).toEqual(['the file of AUDIT_SINK is open to others, and belongs to another user']);
  });

  it('is a fault for the doctor if others have rights', async () => {
    const config = readConfig({ AUDIT_SINK: `file:${fileOf(0o666, '')}` });
    expect(await asNobody(async () => checkAuditSink(config))).toMatchObject([
      { result: 'fault', found: expect.stringMatching(/ belongs to another user \(0\)$/) },
    ]);
  });

  it.each([
    ['only write', 0o622, ''],
    ['only read', 0o644, expect.stringMatching(/cannot be written \(EACCES/)],
  ])(
    'is asked at the start whether it can be written, where the server may %s',
    async (_case, mode, said) => {
      const path = fileOf(mode, '');
      // In a process of its own: what a user may do is asked for the real one.
      const script = `import { auditFileFault } from ${JSON.stringify(source)};
      process.stdout.write(auditFileFault(${JSON.stringify(path)}) ?? '');`;
      const as = { uid: 65_534, gid: 65_534, encoding: 'utf8' } as const;
      expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], as)).toEqual(
        said,
      );
    },
  );
});
