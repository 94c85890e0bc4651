import { dpopProof } from '../../packages/client/src/proof.ts';
import { httpUrl, requestMethod } from './http-target.ts';
import { chosenProfile, type ProfileOptions } from './profile.ts';
import { keyOfProfile } from './profile-key.ts';
import { readInput, secretOf, withoutLineBreak } from './secret.ts';
import { printJson, type Terminal } from './terminal.ts';

export interface ProofOptions extends ProfileOptions {
  /** File with the access token that the proof goes with; `-` is standard input. */
  readonly tokenFile?: string;
  readonly nonce?: string;
  readonly json?: boolean;
}

/** Prints a DPoP proof for one request, issued now (RFC 9449 §4.2). */
export async function printProof(
  terminal: Terminal,
  method: string,
  url: string,
  options: ProofOptions,
): Promise<void> {
  const target = { method: requestMethod(method), url: httpUrl(url) };
  const key = await keyOfProfile(await chosenProfile(terminal, options));
  const given =
    options.tokenFile === undefined
      ? await secretOf(terminal, 'HOLDFAST_ACCESS_TOKEN')
      : await readInput(terminal, options.tokenFile);
  const proof = await dpopProof(key, {
    ...target,
    iat: Math.floor(terminal.clock() / 1000),
    nonce: options.nonce,
    token: given === undefined ? undefined : withoutLineBreak(given),
  });
  if (options.json === true) printJson(terminal, { dpop: proof, jkt: key.thumbprint });
  else terminal.stdout.write(`${proof}\n`);
}
