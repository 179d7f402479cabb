//! Packer's legacy JSON templates, as Packer 1.6.6 reads them. Pure: files, environment and time are handed in.
