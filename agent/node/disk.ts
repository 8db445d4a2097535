/** The files of an agent, so that a simulation can lose power between two writes. */
export interface Disk {
  /** Undefined when the file does not exist. */
  read(path: string): Promise<Buffer | undefined>
  /** Replaces the file whole, 0600; durable when it resolves: after a crash there is the old content or the new. */
  write(path: string, content: Uint8Array): Promise<void>
  remove(path: string): Promise<void>
  /** Names of the files in a folder, in no order. */
  list(folder: string): Promise<readonly string[]>
  /** Makes a folder (0700) that is missing. */
  makeFolder(path: string): Promise<void>
  /** Is the folder on a file system that forgets everything when the machine stops? */
  isVolatile(folder: string): Promise<boolean>
}
