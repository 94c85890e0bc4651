import { type CryptoKeyPair, generateKeyPair } from 'oauth4webapi';
import { sha256 } from '../base64url.ts';
import { HolderError } from '../holder-error.ts';
import { inBrowser } from '../runtime.ts';
import { importPair, pairKey, privateKeyAlone } from './crypto-key.ts';
import type { HolderKey, KeyAlgorithm, KeySource } from './holder-key.ts';
import { functionKey } from './sign-function.ts';

/**
 * Opens a key, or creates it on first use.
 * @param owner the owner of the key, part of the name of stored keys
 */
export async function openKey(
  source: KeySource | undefined,
  alg: KeyAlgorithm,
  owner: { readonly issuer: string; readonly clientId: string },
): Promise<HolderKey> {
  if (source === undefined) return keptKey(alg, owner);
  if (source === 'memory') return pairKey(await made(alg));
  if (typeof source === 'object' && source !== null) {
    if ('file' in source) return keyInFile(source.file, alg);
    if ('privateKey' in source) return pairKey(source);
    if ('sign' in source) return functionKey(source);
    if ('export' in source) return pairKey(await importPair(exported(source)));
    if ('algorithm' in source) return privateKeyAlone(source);
  }
  throw new HolderError('invalid_options', 'key is none of the forms that a key may have');
}

async function keptKey(
  alg: KeyAlgorithm,
  { issuer, clientId }: { readonly issuer: string; readonly clientId: string },
): Promise<HolderKey> {
  const name = JSON.stringify([issuer, clientId, alg]);
  if (inBrowser()) {
    const { browserKey } = await import('./browser-key-store.ts');
    return pairKey(await browserKey(name, alg));
  }
  if (globalThis.process?.versions?.node === undefined)
    throw new HolderError('invalid_options', 'this runtime cannot keep a key: give one in key');
  const { defaultKeyFile } = await import('./key-file.ts');
  const readable = clientId.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 60);
  const fileName = `${readable}-${(await sha256(name)).slice(0, 16)}.json`;
  return keyInFile(defaultKeyFile(fileName), alg);
}

async function keyInFile(path: string, alg: KeyAlgorithm): Promise<HolderKey> {
  if (inBrowser()) throw new HolderError('invalid_options', 'a browser has no key files');
  const { fileKey } = await import('./key-file.ts');
  return pairKey(await importPair(await fileKey(path, alg)));
}

async function made(alg: KeyAlgorithm): Promise<CryptoKeyPair> {
  try {
    return await generateKeyPair(alg, { extractable: false });
  } catch {
    throw new HolderError('key_unavailable', `this runtime has no keys for ${alg}`);
  }
}

function exported(key: Extract<KeySource, { export: unknown }>): JsonWebKey {
  if (key.type !== 'private') throw new HolderError('key_unavailable', 'key must be a private key');
  try {
    return key.export({ format: 'jwk' }) as JsonWebKey;
  } catch {
    throw new HolderError('key_unavailable', 'the KeyObject has no form as a JSON Web Key');
  }
}
