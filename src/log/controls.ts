/** Control characters: what others chose to call things must neither make lines of its own nor steer a terminal. */
// oxlint-disable-next-line no-control-regex
export const CONTROLS: RegExp = /[\u0000-\u001F\u007F-\u009F]/g

/** A control character as JSON writes it. */
export const escapeControl = (control: string): string => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`
