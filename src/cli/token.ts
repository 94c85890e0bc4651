import { createHolder } from '../../packages/client/src/holder.ts';
import { chosenProfile, holderOptions, type ProfileOptions } from './profile.ts';
import { printJson, type Terminal } from './terminal.ts';

export interface TokenOptions extends ProfileOptions {
  readonly json?: boolean;
}

/** Obtains a token that is bound to the key of the profile, and prints it. */
export async function printToken(terminal: Terminal, options: TokenOptions): Promise<void> {
  const profile = await chosenProfile(terminal, options);
  const holder = await createHolder(await holderOptions(terminal, profile));
  const { accessToken, tokenType, expiresAt, scope } = await holder.token();
  if (options.json !== true) {
    terminal.stdout.write(`${accessToken}\n`);
    return;
  }
  printJson(terminal, {
    access_token: accessToken,
    token_type: tokenType,
    expires_at: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
    scope,
    jkt: holder.thumbprint,
  });
}
