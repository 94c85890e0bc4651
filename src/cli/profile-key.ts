import type { HolderKey } from '../../packages/client/src/keys/holder-key.ts';
import { openKey } from '../../packages/client/src/keys/open-key.ts';
import { configurationError } from './exit-codes.ts';
import type { Profile } from './profiles-file.ts';

/** The key of a profile, generated and saved on first use. Throws CommandError and HolderError. */
export async function keyOfProfile(profile: Profile): Promise<HolderKey> {
  const { issuer, client_id: clientId, key_file: file, alg = 'ES256' } = profile;
  if (file === undefined && (issuer === undefined || clientId === undefined))
    throw configurationError(
      'There is no key: give --key-file, or a profile with issuer and client-id.',
    );
  const owner = { issuer: issuer ?? '', clientId: clientId ?? '' };
  return openKey(file === undefined ? undefined : { file }, alg, owner);
}

/** The public key for the `jwks` of the client's registration; undefined: there is no key yet. */
export async function publicJwkOfProfile(profile: Profile): Promise<object | undefined> {
  const { issuer, client_id: clientId, key_file: file } = profile;
  if (file === undefined && (issuer === undefined || clientId === undefined)) return undefined;
  const { publicJwk, thumbprint, alg } = await keyOfProfile(profile);
  return { ...publicJwk, kid: profile.kid ?? thumbprint, alg, use: 'sig' };
}
