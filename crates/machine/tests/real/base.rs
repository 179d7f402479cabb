//! The base image, made from the project's recipe, boots to a working Docker on its own volume.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use machine::images::{ImageStore, Recipe, RecipeFile, cache_dir};
use machine::{ByteRange, Driver, InjectedFile};

use crate::support::{Bench, sh, skipped};

/// Stands in for the guest tools, which this crate knows nothing of.
const GUEST: &[u8] = b"#!/bin/sh\nexec sleep infinity\n";

/// Runs a container of the machine's own shell, there being no registry to get one from.
const RUN_CONTAINER: &str = "set -e; mkdir /tmp/c; cd /tmp/c
for file in /bin/sleep /bin/bash $(ldd /bin/sleep /bin/bash | grep -o '/lib[^ ]*' | sort -u); do
    mkdir -p .${file%/*}; cp -L $file .$file; done
tar -c . | docker import - own >/dev/null
docker run --name one own /bin/bash -c 'echo from inside' | grep 'from inside'
docker run -d --name two own /bin/sleep 1000 >/dev/null";

fn recipe() -> Recipe {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/ecs-base");
    let mut files = Vec::new();
    collect(&dir, &dir, &mut files);
    Recipe { files, guest: Cow::Borrowed(GUEST) }
}

fn collect(top: &Path, dir: &Path, files: &mut Vec<RecipeFile>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(top, &path, files);
        } else {
            files.push(RecipeFile {
                path: path.strip_prefix(top).unwrap().to_owned(),
                mode: path.metadata().unwrap().permissions().mode() & 0o777,
                bytes: Cow::Owned(fs::read(&path).unwrap()),
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_image_boots_to_docker() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0eeeeeeeeeeeeeee1");
    let store = ImageStore::open(bench.state.path()).unwrap();
    let begun = Instant::now();
    let image = store.create_base(&recipe(), &cache_dir(), &mut |line| eprintln!("{line}")).unwrap();
    eprintln!("base image: {:?}", begun.elapsed());

    let mut spec = bench.spec(id).await;
    spec.image_layers = image.layers;
    spec.memory_mib = None;
    // There is no metadata service here, and cloud-init would wait for it: an empty unit file masks it.
    spec.files.push(InjectedFile {
        path: "/etc/systemd/system/cloud-init.service".into(),
        mode: 0o644,
        content: Vec::new(),
        append: false,
    });
    let begun = Instant::now();
    bench.driver.boot(&spec).await.unwrap();
    eprintln!("init: {:?}", begun.elapsed());
    let ready = "until docker info >/dev/null 2>&1; do sleep 0.02; done; docker info -f '{{.Driver}}'";
    let driver = tokio::time::timeout(Duration::from_secs(60), sh(&bench.driver, id, ready)).await;
    eprintln!("docker: {:?}", begun.elapsed());
    if driver.is_err() {
        let console = bench.driver.console(id, ByteRange::Tail { max: 4096 }).unwrap();
        panic!("Docker is not ready: {}", String::from_utf8_lossy(&console.bytes));
    }
    assert_eq!(driver.unwrap(), "overlay2");
    assert_eq!(sh(&bench.driver, id, "stat -c %a:%n /dev/xvda /dev/xvdcz | wc -l").await, "2");

    sh(&bench.driver, id, RUN_CONTAINER).await;

    let begun = Instant::now();
    bench.driver.shutdown(id, Duration::from_secs(30)).await.unwrap();
    eprintln!("shutdown: {:?}", begun.elapsed());
    let begun = Instant::now();
    bench.driver.boot(&spec).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), sh(&bench.driver, id, ready)).await.unwrap();
    eprintln!("docker, second boot: {:?}", begun.elapsed());
    // A paused container's processes are frozen and would not die of a signal alone.
    sh(&bench.driver, id, "docker start two && docker pause two").await;
    let begun = Instant::now();
    bench.driver.destroy(id).await.unwrap();
    eprintln!("destroy: {:?}", begun.elapsed());
    assert_eq!(bench.remains(), Vec::<String>::new());
}
