import type { decodeImage } from './decode.js';

/** The JPEG and PNG decoder, loaded when asked for: `(await loadImageDecoder())(bytes, name)`, see `decodeImage`. */
export async function loadImageDecoder(): Promise<typeof decodeImage> {
  return (await import('./decode.js')).decodeImage;
}
