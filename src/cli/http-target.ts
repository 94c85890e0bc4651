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

/** The method of a request; a standard one may be in lower case. Throws CommandError. */
export function requestMethod(text: string): string {
  const upper = text.toUpperCase();
  return /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(upper) ? upper : httpMethod(text);
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
    throw usageError(
      'Never pass a token as an argument: everyone on this machine can read it. Pipe it in.',
    );
}
