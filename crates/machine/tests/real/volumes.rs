//! Volumes that come and go while an instance runs.

use machine::volumes::Content;
use machine::{Driver, DriverError};

use crate::support::{Bench, sh, skipped};

#[tokio::test(flavor = "multi_thread")]
async fn volumes_come_and_go() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0bbbbbbbbbbbbbbb1");
    let driver = &bench.driver;
    let spec = bench.spec(id).await;
    driver.boot(&spec).await.unwrap();
    let extra = bench.volume(id, "extra", "/dev/xvdf", 1, &Content::Empty).await;
    driver.attach_volume(id, &extra).await.unwrap();
    assert!(matches!(driver.attach_volume(id, &extra).await, Err(DriverError::Volume { .. })));
    sh(driver, id, "mkfs.ext4 -q -L extra /dev/xvdf && mount LABEL=extra /mnt && echo x > /mnt/x").await;
    let mounted = driver.detach_volume(id, &extra.volume_id, false).await.unwrap_err();
    assert!(mounted.to_string().contains("mounted"), "{mounted}");

    // It is still there after a reboot.
    driver.reboot(id, std::time::Duration::from_secs(20)).await.unwrap();
    assert_eq!(sh(driver, id, "mount /dev/xvdf /mnt && cat /mnt/x && umount /mnt").await, "x");
    driver.detach_volume(id, &extra.volume_id, false).await.unwrap();
    assert_eq!(sh(driver, id, "ls /dev/xvdf 2>/dev/null || echo gone").await, "gone");
    assert!(!bench.remains().iter().any(|r| r.contains("vol-extra")), "{:?}", bench.remains());

    // One that grows is seen to have grown, and its file system can.
    bench.volumes.grow(&spec.volumes[0].volume_id, 23, false).await.unwrap();
    driver.grow_volume(id, &spec.volumes[0].volume_id, 23).await.unwrap();
    assert_eq!(sh(driver, id, "blockdev --getsize64 /dev/xvdcz").await, (23_u64 << 30).to_string());

    // One that was there from the start goes as well; the root volume does not.
    driver.detach_volume(id, &spec.volumes[0].volume_id, false).await.unwrap();
    assert!(!bench.remains().iter().any(|r| r.contains("vol-data")), "{:?}", bench.remains());
    assert!(driver.detach_volume(id, &spec.root.volume_id, true).await.is_err());
    driver.destroy(id).await.unwrap();
    assert_eq!(bench.remains(), Vec::<String>::new());
}
