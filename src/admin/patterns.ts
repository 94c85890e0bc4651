/** The patterns of the admin API's strings, each with its wording in a refusal. */
const patterns = {
  printable: { source: '^[\\x21-\\x7e]+$', words: 'printable ASCII without spaces' },
  printableOrEmpty: {
    source: '^[\\x21-\\x7e]*$',
    words: 'printable ASCII without spaces, or empty',
  },
  clientId: {
    // No URL can name `.` or `..` as the last segment of its path (RFC 3986 §5.2.4).
    source: '^(?!\\.{1,2}$|urn:holdfast:)[\\x21-\\x7e]+$',
    words:
      'printable ASCII without spaces; it must not be `.` or `..`, and must not start with ' +
      '`urn:holdfast:`',
  },
  adminTokenName: {
    source: '^(?!bootstrap$)[a-z0-9][a-z0-9._-]*$',
    words: 'lower case letters, digits, `.`, `_` and `-`, and not `bootstrap`',
  },
  scopeToken: {
    source: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$',
    words: 'printable ASCII without spaces, quotation marks and backslashes',
  },
  scope: {
    source: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+( [\\x21\\x23-\\x5b\\x5d-\\x7e]+)*$',
    words: 'scope values with one space between them, such as `read write`',
  },
  resource: {
    source: '^[A-Za-z][A-Za-z0-9+.-]*:[\\x21\\x22\\x24-\\x7e]+$',
    words: 'an absolute URI without a fragment, such as `https://api.example.com`',
  },
  plainText: { source: '^[^\\x00-\\x1f\\x7f]*$', words: 'text without control characters' },
  httpsUrl: {
    source: '^https://[^\\s#@\\\\]+$',
    words: 'an https URL without user, fragment, spaces and backslashes',
  },
  origin: {
    // The form of `URL.origin`: lower case, no path; resource-servers.ts checks the rest.
    source: '^(https://[a-z0-9.:_\\[\\]-]+|http://(localhost|127\\.[0-9.]+|\\[::1\\])(:[0-9]+)?)$',
    words: 'an https origin such as `https://api.example.com`, or an http one on loopback',
  },
  trustedIssuer: {
    source: '^(https?://[^\\s#?@\\\\]+|spiffe://[a-z0-9._-]+)$',
    words:
      'an http or https URL without user, query, fragment, spaces and backslashes, or `spiffe://` ' +
      'and a trust domain',
  },
  fileName: {
    source: '^(?!.*\\.\\.)[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$',
    words: 'a name of a file below the directory, without `..`',
  },
  limit: { source: '^[1-9][0-9]{0,8}$', words: 'a whole number from 1 to 999999999' },
  cursor: { source: '^[A-Za-z0-9_-]+$', words: 'the `next_cursor` of an earlier page' },
} as const;

/** The regular expression of this name, for a JSON Schema. */
export function pattern(name: keyof typeof patterns): string {
  return patterns[name].source;
}

/** Describes a pattern in words; undefined if it is not in the table. */
export function patternInWords(source: unknown): string | undefined {
  return Object.values(patterns).find((each) => each.source === source)?.words;
}
