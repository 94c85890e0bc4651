import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { jsonOf } from './json.ts';
import { writePrivateFile } from './private-file.ts';
import type { Terminal } from './terminal.ts';

const schema = v.fallback(v.record(v.string(), v.string()), {});

/** DPoP nonces by origin that persist between runs of the command. */
export interface KeptNonces {
  readonly nonces: Map<string, string>;
  /** Writes changed nonces. A failure only costs the next run one more request. */
  save(): Promise<void>;
}

/** The nonces of a profile, in a file under `$XDG_STATE_HOME` that only its owner can read. */
export async function keptNonces(
  { env: { XDG_STATE_HOME: state } }: Pick<Terminal, 'env'>,
  profile: string,
): Promise<KeptNonces> {
  const folder = state !== undefined && state !== '' ? state : join(homedir(), '.local/state');
  const path = join(folder, 'holdfast/nonces', `${encodeURIComponent(profile)}.json`);
  const before = await readFile(path, 'utf8').catch(() => '{}');
  const nonces = new Map(Object.entries(v.parse(schema, jsonOf(before))));
  return {
    nonces,
    async save() {
      const now = `${JSON.stringify(Object.fromEntries(nonces))}\n`;
      if (now !== before) await writePrivateFile(path, now).catch(() => undefined);
    },
  };
}
