import { KeyObject } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import { signInput } from '../jose/sign.ts';
import type { Clock } from '../ports.ts';
import type { KeyEncryption } from './key-encryption.ts';
import type { SigningKey } from './signing-key.ts';
import type { SigningKeyStore, StoredSigningKey } from './signing-key-store.ts';

/** The server's signing keys, shared by all replicas through the store. */
export interface SigningKeys {
  /** The key that signs tokens of this algorithm. Throws when there is none. */
  current(alg: AccessTokenSigningAlgorithm): Promise<SigningKey>;
  /** Makes the first key of an algorithm where there is none; of several replicas one makes it, all use it. */
  ensure(alg: AccessTokenSigningAlgorithm): Promise<void>;
  /** Public keys as last read from the store; answers without the store. */
  publicJwks(): { readonly keys: readonly JWK[] };
  /** A published key by its `kid`, to check what it signed. */
  verificationKey(kid: string): PublicKey | undefined;
  /** Reads the store again, for keys that another replica made. */
  refresh(): Promise<void>;
}

/** What the signing keys live on. */
export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
}

/** Loads the signing keys. Throws KeyEncryptionError when a stored key cannot be opened. */
export async function signingKeys({ store, encryption, clock }: SigningKeysOptions): Promise<SigningKeys> {
  const byKid = new Map<string, { readonly key: SigningKey; readonly publicJwk: JWK; readonly publicKey: PublicKey }>();
  let publicJwks: { readonly keys: readonly JWK[] } = { keys: [] };
  const refresh = async () => {
    const added = (await store.listSigningKeys()).filter(({ kid }) => !byKid.has(kid));
    for (const stored of added) {
      const publicJwk = JSON.parse(stored.publicJwk) as JWK;
      byKid.set(stored.kid, { key: await openKey(stored, encryption), publicJwk, publicKey: readPublicKey(publicJwk) });
    }
    // A new object only when something changed: the JWKS route renders each object once.
    if (added.length > 0) publicJwks = { keys: [...byKid.values()].map(({ publicJwk }) => publicJwk) };
  };
  const find = (alg: AccessTokenSigningAlgorithm) => [...byKid.values()].find(({ key }) => key.alg === alg)?.key;
  await refresh();
  return {
    refresh,
    publicJwks: () => publicJwks,
    verificationKey: (kid) => byKid.get(kid)?.publicKey,
    async current(alg) {
      const known = find(alg);
      if (known !== undefined) return known;
      await refresh();
      const found = find(alg);
      if (found === undefined) throw new Error(`no signing key for ${alg}`);
      return found;
    },
    async ensure(alg) {
      if (find(alg) !== undefined) return;
      await store.addFirstSigningKey(await makeKey(alg, encryption, clock));
      await refresh();
    },
  };
}

async function makeKey(alg: AccessTokenSigningAlgorithm, encryption: KeyEncryption, clock: Clock): Promise<StoredSigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 3072 });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    alg,
    publicJwk: JSON.stringify({ ...publicJwk, kid, alg, use: 'sig' }),
    privateJwe: await encryption.seal(JSON.stringify({ ...(await exportJWK(privateKey)), alg })),
    createdAt: clock(),
  };
}

async function openKey({ kid, alg, privateJwe }: StoredSigningKey, encryption: KeyEncryption): Promise<SigningKey> {
  const privateKey = KeyObject.from((await importJWK(JSON.parse(await encryption.open(privateJwe)) as JWK, alg)) as CryptoKey);
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    kid,
    alg,
    async signJwt(typ, claims) {
      const input = `${encoded({ alg, kid, typ })}.${encoded(claims)}`;
      return `${input}.${(await signInput(alg, privateKey, Buffer.from(input))).toString('base64url')}`;
    },
  };
}
