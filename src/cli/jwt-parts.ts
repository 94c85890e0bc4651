/** A decoded JWT; nothing about it is verified. */
export interface JwtParts {
  readonly header: Readonly<Record<string, unknown>>;
  /** Undefined: the token is encrypted. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}

/** Decodes a compact JWS or JWE; undefined: the text is neither. */
export function jwtParts(text: string): JwtParts | undefined {
  const parts = text.split('.');
  const header = jsonObject(parts[0]);
  if (header === undefined || !parts.every((part) => /^[\w-]*$/.test(part))) return undefined;
  if (parts.length === 5) return { header, claims: undefined };
  const claims = jsonObject(parts[1]);
  return parts.length === 3 && claims !== undefined ? { header, claims } : undefined;
}

function jsonObject(part: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const bytes = Buffer.from(part ?? '', 'base64url');
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
