import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import { JoseError } from '../jose/jose-error.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import { withoutUnknownMembers } from '../jose/public-members.ts';
import { trustBundleKeys } from '../protocol/client-keys/remote-jwks/jwk-set.ts';
import { repeatsKid } from '../protocol/client-keys/repeated-kids.ts';
import type { MayBeFetched } from './check-jwks-uri.ts';
import { checkAll, Problem, refuseIf } from './problem.ts';
import type { TrustedIssuerBody } from './trusted-issuer-schemas.ts';

/** Dependencies of the checks of trusted issuers. */
export interface TrustedIssuerChecks {
  readonly mayBeFetched: MayBeFetched;
  /** Whether a directory for files of trust bundles is configured. */
  readonly hasTrustBundleDirectory: boolean;
}

const bundleMembers = ['trust_bundle', 'trust_bundle_uri', 'trust_bundle_file'] as const;
const sourceMembers = ['jwks', 'jwks_uri', ...bundleMembers] as const;

/** Checks what the schema cannot: combinations of members, and every key. Throws Problem. */
export function checkTrustedIssuer(
  body: TrustedIssuerBody,
  id: string,
  registered: TrustedIssuer | undefined,
  checks: TrustedIssuerChecks,
): TrustedIssuer {
  const { purposes = ['id_token'] } = body;
  const { ca } = body;
  const keySets = (['jwks', 'trust_bundle'] as const).map((member) => () => {
    // Keys that an earlier version accepted must not stand in the way of another change.
    if (body[member] !== undefined && !isDeepStrictEqual(body[member], registered?.[member]))
      checkKeys(body[member].keys, member);
  });
  checkAll(
    refuseIf(!URL.canParse(body.issuer), 'the member is not a URL', 'issuer'),
    refuseIf(
      purposes.includes('id_token') && body.audience === undefined,
      'ID tokens need the audience that the app is there',
      'audience',
    ),
    // Both accept tokens for the same audiences: a job's token would count as a user's.
    refuseIf(
      purposes.includes('id_token') && purposes.includes('workload'),
      'an issuer is trusted for users or for workloads',
      'purposes',
    ),
    () => checkSource(body, purposes),
    () => checkReachable(body, checks),
    ...keySets,
    refuseIf(ca !== undefined && !isPem(ca), 'this is not a certificate in PEM', 'ca'),
  );
  return { ...body, purposes, id, listed: registered?.listed ?? new Map() } as TrustedIssuer;
}

/** Whether no subject prefix equals, or begins with, another one. */
export function arePrefixesApart(
  { issuer, subject_prefix: own = '' }: TrustedIssuer,
  others: readonly TrustedIssuer[],
): boolean {
  return others.every(
    ({ issuer: other, subject_prefix: taken = '' }) =>
      issuer === other ||
      own === '' ||
      taken === '' ||
      !(own.startsWith(taken) || taken.startsWith(own)),
  );
}

/** The refusal of an overlapping prefix. */
export function prefixTaken(): Problem {
  return new Problem(400, "this prefix overlaps another issuer's subject_prefix", 'subject_prefix');
}

/** Requires an unambiguous source of keys that suits the kind of issuer. */
function checkSource(body: TrustedIssuerBody, purposes: TrustedIssuer['purposes']): void {
  const [first, second] = sourceMembers.filter((member) => body[member] !== undefined);
  if (second !== undefined)
    throw new Problem(400, `${first} and ${second} exclude each other`, second);
  const isSpiffe = body.issuer.startsWith('spiffe://');
  const isBundle = bundleMembers.some((member) => member === first);
  if (isSpiffe !== isBundle)
    throw new Problem(
      400,
      isSpiffe ? 'a SPIFFE trust domain needs a trust bundle' : 'a trust bundle is for SPIFFE only',
      isSpiffe ? 'trust_bundle' : first,
    );
  if (isSpiffe && purposes.some((purpose) => purpose !== 'workload'))
    throw new Problem(400, 'a SPIFFE trust domain has workloads only', 'purposes');
  if (first === undefined && !body.issuer.startsWith('https://'))
    throw new Problem(400, 'metadata is fetched over https only: give jwks or jwks_uri', 'jwks');
  if (body.ca !== undefined && body.ca_file !== undefined)
    throw new Problem(400, 'ca and ca_file exclude each other', 'ca_file');
}

function checkReachable(
  body: TrustedIssuerBody,
  { mayBeFetched, hasTrustBundleDirectory }: TrustedIssuerChecks,
): void {
  for (const member of ['trust_bundle_file', 'ca_file'] as const)
    if (body[member] !== undefined && !hasTrustBundleDirectory)
      throw new Problem(400, 'TRUST_BUNDLE_DIRECTORY is not set', member);
  const isDiscovered = sourceMembers.every((member) => body[member] === undefined);
  for (const member of [
    'jwks_uri',
    'trust_bundle_uri',
    ...(isDiscovered ? ['issuer' as const] : []),
  ] as const) {
    const uri = body[member];
    if (uri === undefined) continue;
    if (!URL.canParse(uri) || !mayBeFetched(uri, body.allow_private_addresses))
      throw new Problem(
        400,
        'nothing is fetched from this host: it is not public, or not in ASCII',
        member,
      );
  }
}

/** Unsupported keys are ignored, but at least one must be usable, and each `kid` names one key. */
function checkKeys(keys: readonly object[], member: 'jwks' | 'trust_bundle'): void {
  const read = member === 'jwks' ? keys : trustBundleKeys({ keys: keys as never }).keys;
  const signatureKeys: PublicKey[] = [];
  const isOfUse = (jwk: object) => {
    try {
      const { use, x5c } = jwk as { readonly use?: unknown; readonly x5c?: readonly unknown[] };
      if (use !== 'x509-svid')
        return signatureKeys.push(readPublicKey(withoutUnknownMembers(jwk))) > 0;
      return new X509Certificate(Buffer.from(String(x5c?.[0]), 'base64')).ca;
    } catch (fault) {
      if (fault instanceof JoseError && fault.reason === 'private_member')
        throw new Problem(400, 'a key has private or symmetric members', member);
      return false;
    }
  };
  if (read.filter(isOfUse).length === 0)
    throw new Problem(400, 'no key is an acceptable public signature key', member);
  if (repeatsKid(signatureKeys)) throw new Problem(400, 'two keys have the same kid', member);
}

function isPem(text: string): boolean {
  try {
    return new X509Certificate(text).ca;
  } catch {
    return false;
  }
}
