import { claimAt, readClaimPath } from './claim-path.ts';

/** Whether every brace of a template is around the path of a claim. */
export function isSubjectTemplate(template: string): boolean {
  const paths = [...template.matchAll(/\{([^{}]+)\}/g)].map(([, path = '']) => path);
  const rest = template.replaceAll(/\{[^{}]+\}/g, '');
  return !/[{}]/.test(rest) && paths.every((path) => readClaimPath(path) !== undefined);
}

/**
 * Whether subjects of a rule are distinct from those of other issuers: by the issuer's prefix, the
 * beginning of the template, or the client that must authenticate.
 */
export function isSubjectApart(
  { subject_prefix = '' }: { readonly subject_prefix?: string },
  { subject = '', client_id }: { readonly subject?: string; readonly client_id?: string },
): boolean {
  return client_id !== undefined || subject_prefix !== '' || !subject.startsWith('{');
}

/**
 * The subject that a template gives for these claims: each path in braces is replaced by the claim.
 * Undefined if a claim is empty or not a string, or the result exceeds 255 characters.
 */
export function subjectOf(template: string, claims: object): string | undefined {
  let isWhole = true;
  const subject = template.replaceAll(/\{([^{}]+)\}/g, (_, text: string) => {
    const value = claimAt(claims, readClaimPath(text) ?? []);
    if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
    isWhole = false;
    return '';
  });
  return isWhole && subject !== '' && subject.length <= 255 ? subject : undefined;
}
