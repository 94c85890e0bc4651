import { usageError } from './exit-codes.ts';

/** An http or https URL without user name and fragment. Throws CommandError. */
export function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usageError(`${JSON.stringify(text)} is not a URL with https:// or http://.`);
  if (url.username !== '' || url.password !== '')
    throw usageError('The URL must not contain a user name or password.');
  return url;
}

/** An HTTP method (RFC 9110 §9.1), which is case-sensitive. Throws CommandError. */
export function httpMethod(text: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text))
    throw usageError(`${JSON.stringify(text)} is not an HTTP method.`);
  return text;
}

/** Refuses arguments that look like tokens: process lists show arguments to everybody. */
export function refuseTokenInArguments(argument: string): void {
  if (/^eyJ[\w-]+\.[\w-]*\./.test(argument))
    throw usageError('Everybody on this machine can read arguments: pipe the token in, or use -.');
}
