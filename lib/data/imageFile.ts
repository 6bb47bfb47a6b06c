import { DataError } from '../tensor/errors.js';

/** What an image may ask of this machine, whatever its file says. These are limits of ours, not of the formats. */
export interface ImageLimits {
  /** Pixels, width times height. Default 50 million. */
  readonly maxPixels?: number;
  /** Scans of a JPEG; files in use have some ten. Default 100. */
  readonly maxScans?: number;
}

export const IMAGE_LIMITS: Required<ImageLimits> = { maxPixels: 50e6, maxScans: 100 };

/** A file being decoded: its bytes, and its errors, which tell broken files from what we do not read. */
export class ImageFile {
  readonly limits: Required<ImageLimits>;

  constructor(
    readonly format: 'JPEG' | 'PNG',
    readonly bytes: Uint8Array,
    /** What errors call it, usually its path. */
    readonly name: string,
    limits: ImageLimits = {},
  ) {
    this.limits = { ...IMAGE_LIMITS, ...limits };
  }

  /** The file ends before it should. */
  truncated(reason: string): DataError {
    return this.#error(`truncated ${this.format} of ${this.bytes.length} bytes (${reason})`);
  }

  /** The file breaks the rules of its format. */
  corrupt(reason: string): DataError {
    return this.#error(`corrupt ${this.format} of ${this.bytes.length} bytes (${reason})`);
  }

  /** The file may well be sound. */
  unsupported(what: string): DataError {
    return this.#error(`${this.format} with ${what}, which is not supported`);
  }

  /** @throws DataError if a side is 0 or the picture has more pixels than the limit */
  checkSides(width: number, height: number): void {
    if (width === 0 || height === 0) throw this.corrupt(`sides ${width}x${height}`);
    const { maxPixels } = this.limits;
    if (width * height <= maxPixels) return;
    const megapixels = (count: number) => `${Number((count / 1e6).toPrecision(4))} megapixels`;
    const has = `${width}x${height} = ${megapixels(width * height)}`;
    throw this.#error(
      `${has} are above our limit of ${megapixels(maxPixels)}; maxPixels, or A2Q_MAX_PIXELS for commands, raises it`,
    );
  }

  /** @throws DataError once there are more scans than the limit */
  checkScans(count: number): void {
    const { maxScans } = this.limits;
    if (count > maxScans) throw this.#error(`more scans than our limit of ${maxScans}; the option maxScans raises it`);
  }

  #error(what: string): DataError {
    return new DataError('decodeImage', `${this.name}: ${what}`);
  }
}
