/** The body of a 503 for a request without a place. */
export const shedBody = JSON.stringify({
  error: 'temporarily_unavailable',
  error_description: 'the server cannot answer now; try again later',
});

/** Its header fields; a refused client may retry after a second. */
export const shedFields = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'retry-after': '1',
  'content-length': shedBody.length,
};
