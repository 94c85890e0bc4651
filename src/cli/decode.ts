import { CommandError, exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { refuseTokenInArguments } from './http-target.ts';
import { type JwtParts, jwtParts } from './jwt-parts.ts';
import { chosenProfile, type ProfileOptions } from './profile.ts';
import { readInput } from './secret.ts';
import { checkSignature, notChecked, type SignatureCheck } from './signature-check.ts';
import { printJson, printTable, type Terminal, textOf } from './terminal.ts';

export interface DecodeOptions extends Pick<ProfileOptions, 'profile' | 'issuer'> {
  readonly json?: boolean;
}

/**
 * Prints header, claims, key bindings, and whether the signature verifies. Throws at the end if the
 * issuer's keys cannot be read.
 */
export async function printDecoded(
  terminal: Terminal,
  file: string,
  options: DecodeOptions,
): Promise<void> {
  refuseTokenInArguments(file);
  const token = tokenIn(await readInput(terminal, file));
  const parts = jwtParts(token);
  if (parts === undefined)
    throw new CommandError(
      exitCodes.failed,
      'This is not a JWT: it may be an opaque token, or not complete.',
    );
  const { issuer } = await chosenProfile(terminal, options);
  let fault: unknown;
  const keys = { issuer, clock: terminal.clock };
  const signature = await checkSignature(token, parts, keys).catch((error: unknown) => {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    fault = error;
    const isSilent = failure.exitCode === exitCodes.unreachable;
    return notChecked(isSilent ? `no answer from ${issuer}` : 'its keys cannot be read');
  });
  const binding = bindings(parts);
  if (options.json === true) printJson(terminal, { ...parts, binding, signature });
  else printTable(terminal, rowsOf(parts, { binding, signature, now: terminal.clock() }));
  if (fault !== undefined) throw fault;
  if (signature.result === 'invalid')
    throw new CommandError(exitCodes.failed, 'The signature does not verify.');
}

/** The token of a token response (RFC 6749 §5.1), of an Authorization field, or alone. */
function tokenIn(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{')) return trimmed.replace(/^(Authorization: *)?(DPoP|Bearer) +/i, '');
  try {
    const { access_token } = JSON.parse(trimmed) as { readonly access_token?: unknown };
    return typeof access_token === 'string' ? access_token : '';
  } catch {
    return '';
  }
}

/** Who can use the token, one sentence for each key or certificate. */
function bindings({ header, claims }: JwtParts): readonly string[] {
  if (claims === undefined) return ['unknown: the token is encrypted'];
  if (header['typ'] === 'dpop+jwt') return ['none: this is a DPoP proof, not an access token'];
  const found = [
    ...confirmation(claims['cnf'], ''),
    ...listOf(claims['alt_cnf']).flatMap((item) => confirmation(item, 'additional holder: ')),
  ];
  return found.length > 0 ? found : ['none: whoever has this token can use it'];
}

const methods: Readonly<Record<string, string>> = {
  jkt: 'DPoP key with the thumbprint',
  'x5t#S256': 'certificate with the SHA-256 thumbprint',
  jwk: 'public key',
  jwks: 'any of the public keys',
  kid: 'registered key named',
  jku: 'keys at',
  jwe: 'encrypted symmetric key',
};

function confirmation(value: unknown, holder: string): readonly string[] {
  const { cnf = value } = (value ?? {}) as { readonly cnf?: unknown };
  if (typeof cnf !== 'object' || cnf === null) return [];
  return Object.entries(cnf)
    .filter(([method]) => methods[method] !== undefined)
    .map(([method, key]) => `${holder}${methods[method]} ${textOf(key)}`);
}

interface Found {
  readonly binding: readonly string[];
  readonly signature: SignatureCheck;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

function rowsOf({ header, claims }: JwtParts, { binding, signature, now }: Found): string[][] {
  const section = (name: string, members: object) =>
    Object.entries(members).map(([member, value]) => [
      name,
      member,
      shownValue(member, value, now),
    ]);
  return [
    ...section('header', header),
    ...section('claims', claims ?? {}),
    ...binding.map((sentence) => ['bound to', '', sentence]),
    ['signature', '', `${signature.result} (${signature.by})`],
  ];
}

function shownValue(member: string, value: unknown, now: number): string {
  if (!['iat', 'exp', 'nbf', 'auth_time'].includes(member) || typeof value !== 'number')
    return textOf(value);
  const time = new Date(value * 1000);
  if (Number.isNaN(time.getTime())) return String(value);
  const seconds = Math.round(value - now / 1000);
  const relative = seconds < 0 ? `${-seconds} s ago` : `in ${seconds} s`;
  return `${value} (${time.toISOString()}, ${relative})`;
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return value === undefined ? [] : [value];
}
