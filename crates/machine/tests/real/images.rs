//! Images made from others boot with what was added to them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use machine::Driver;
use machine::images::{Addition, BlockDevice, Image, ImageError, ImageState, ImageStore, NewImage};

use crate::support::{Bench, root, sh, skipped};

fn base() -> Image {
    Image {
        id: "ami-0123456789abcdef0".into(),
        name: "base".into(),
        description: String::new(),
        created: jiff::Timestamp::UNIX_EPOCH,
        owner: "amazon".into(),
        region: None,
        layers: vec![root().to_owned()],
        architecture: "x86_64".into(),
        state: ImageState::Available,
        root_device: "/dev/xvda".into(),
        block_devices: BlockDevice::ecs_optimised(),
        tags: BTreeMap::new(),
        alias_of: None,
        ..Image::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adds_files_to_an_image() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0ddddddddddddddd1");
    let store = ImageStore::open(bench.state.path()).unwrap();
    store.put(&base()).unwrap();
    let script = bench.state.path().join("firstrun.sh");
    fs::write(&script, "#!/bin/sh\necho added\n").unwrap();
    let add = |path: &str, mode| Addition { source: script.clone(), path: path.into(), mode };
    let new = |name: &str| NewImage {
        name: name.into(),
        description: "with a script".into(),
        owner: "123456789012".into(),
        region: None,
    };
    // `/bin` is a link to `usr/bin` and must stay one; `/var/mail` has a group and a mode of its own.
    let additions =
        [add("/bin/firstrun", Some(0o755)), add("/var/mail/sub/file", None), add("/var/mail/file", None)];
    let image = store.create(&new("mine"), "base", &additions).await.unwrap();
    assert_eq!(image.layers.len(), 2);
    let mail = |of: &std::path::Path| {
        let meta = fs::metadata(of.join("var/mail")).unwrap();
        (meta.uid(), meta.gid(), meta.mode())
    };
    assert_eq!(mail(&image.layers[0]), mail(root()), "a directory keeps its owner and mode");
    assert!(fs::symlink_metadata(image.layers[0].join("bin")).is_err());
    assert!(matches!(store.create(&new("mine"), "base", &[]).await, Err(ImageError::NameTaken { .. })));
    assert!(matches!(store.create(&new("other"), "none", &[]).await, Err(ImageError::NoSuchName(_))));
    // Made of the same it is the same; made of something else it is another under the old id.
    assert_eq!(store.ensure(&new("mine"), "base", &additions).await.unwrap(), image);
    fs::write(&script, "#!/bin/sh\necho changed\n").unwrap();
    let changed = store.ensure(&new("mine"), "base", &additions).await.unwrap();
    assert_eq!(changed.id, image.id);
    assert_ne!(changed.layers[0], image.layers[0]);
    assert!(image.layers[0].is_dir(), "instances may still stand on it");
    let left = fs::read_dir(store.layers_dir()).unwrap().count();
    assert_eq!(left, 2, "nothing half made stays");

    let mut spec = bench.spec(id).await;
    spec.image_layers = image.layers.clone();
    bench.driver.boot(&spec).await.unwrap();
    assert_eq!(sh(&bench.driver, id, "/bin/firstrun").await, "added");
    assert_eq!(sh(&bench.driver, id, "readlink /bin; stat -c %G /var/mail/file").await, "usr/bin\nmail");
    bench.driver.destroy(id).await.unwrap();
    store.remove(&image.id, &Default::default()).unwrap();
    assert!(!changed.layers[0].exists());
}
