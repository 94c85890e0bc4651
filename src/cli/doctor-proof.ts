import { capturedRequest } from './captured-request.ts';
import { CommandError, exitCodes, usageError } from './exit-codes.ts';
import { httpUrl, requestMethod } from './http-target.ts';
import { proofRules } from './proof-rules.ts';
import { readInput } from './secret.ts';
import { printHeaded, printJson, type Terminal } from './terminal.ts';
import { timeOf } from './times.ts';

export interface DoctorProofOptions {
  readonly nonce?: string;
  /** When the request arrived; now by default. */
  readonly at?: string;
  /** Maximum seconds between `iat` and that time. */
  readonly maxAge: string;
  readonly json?: boolean;
}

/** Reports for each rule of RFC 9449 §4.3 what a captured request has and should have. */
export async function examineProof(
  terminal: Terminal,
  method: string,
  url: string,
  { nonce, at, maxAge, json }: DoctorProofOptions,
): Promise<void> {
  const time = at === undefined ? terminal.clock() : timeOf(at);
  if (Number.isNaN(time)) throw usageError('--at takes a time such as 2026-11-24T09:00:00Z.');
  if (!/^\d{1,9}$/.test(maxAge)) throw usageError('--max-age takes a number of seconds.');
  const expected = { method: requestMethod(method), url: httpUrl(url) };
  const results = await proofRules(capturedRequest(await readInput(terminal, '-')), {
    ...expected,
    nonce,
    now: Math.floor(time / 1000),
    maxAge: Number(maxAge),
  });
  if (json === true) printJson(terminal, results);
  else
    printHeaded(
      terminal,
      ['RULE', 'ABOUT', 'RESULT', 'FOUND', 'EXPECTED'],
      results.map((row) => [row.rule, row.about, row.result, row.found, row.expected]),
    );
  const faults = results.filter(({ result }) => result === 'fault').length;
  if (faults > 0)
    throw new CommandError(
      exitCodes.differences,
      `${faults} of ${results.length} checks found a fault (RFC 9449 §4.3).`,
    );
}
